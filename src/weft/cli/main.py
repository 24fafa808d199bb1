"""The command ``weft``."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from contextlib import suppress
from importlib.metadata import version
from typing import TYPE_CHECKING, NoReturn

from weft.errors import WeftError
from weft.limits import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TextIO

__all__ = ["main"]

# What the shell sees: a command that did its work, one that failed at it, one that was misused, and one that
# was ended by Ctrl-C (128 and the signal's number).
_DONE, _FAILED, _MISUSED, _INTERRUPTED = 0, 1, 2, 130

# Packages that a command may find missing, and the extra that brings each.
_EXTRAS = {
    "pycrdt": "server",
    "websockets": "server",
    "automerge": "automerge",
    "cbor2": "automerge",
    "asyncpg": "postgres",
}


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence; how it goes right is what --help is for."""

    def error(self, message: str) -> NoReturn:
        print(f"{self.prog}: {message} (see {self.prog} --help)", file=sys.stderr)
        raise SystemExit(_MISUSED)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: Without the program's name; ``None`` for those of the process.

    Returns:
        The exit code: 0 for done, 1 for failed, 2 for misused, 130 for interrupted.
    """
    _open_standard_streams()
    try:
        options = _parser().parse_args(arguments)
    except SystemExit as end:  # argparse's way to say done or misused
        return end.code if isinstance(end.code, int) else _MISUSED
    logging.basicConfig(
        level=[logging.WARNING, logging.INFO, logging.DEBUG][min(options.verbose, 2)],
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    try:
        if options.command == "serve":
            import asyncio

            from weft.cli.event_loop import new_event_loop
            from weft.cli.serve import serve

            with asyncio.Runner(loop_factory=new_event_loop) as runner:
                runner.run(
                    serve(
                        host=options.host,
                        port=options.port,
                        db=options.db,
                        origins=options.origin,
                        bridge=options.bridge,
                        shared=options.shared,
                        limits=Limits(max_message=options.max_message, max_documents=options.max_documents),
                        say=_say,
                    )
                )
        elif options.command == "db":
            import asyncio

            from weft.cli.db import init

            asyncio.run(init(options.address, say=_say))
        else:
            from weft.cli.demo import demo

            demo(say=_say)
    except ImportError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in _EXTRAS:
            raise
        return _fail(f"weft: {missing} is missing; install it with: pip install 'weft[{_EXTRAS[missing]}]'")
    except (WeftError, OSError) as error:
        return _fail(f"weft {options.command}: {error}")
    except KeyboardInterrupt:
        return _INTERRUPTED
    return _DONE


def _open_standard_streams() -> None:
    """Have what was closed by the shell (``>&-``) lead nowhere: a socket would get the number of the stream.

    What is printed would go to a client then, and uvloop refuses to close it.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free


def _fail(sentence: str) -> int:
    _print(sentence, sys.stderr)
    return _FAILED


def _say(line: str = "") -> None:
    _print(line, sys.stdout)


def _print(line: str, stream: TextIO | None) -> None:
    """Print a line for whoever reads it. That nobody does, or not all of it, is no reason to end."""
    if stream is None:  # the process was started without it
        return
    try:
        try:
            print(line, file=stream, flush=True)
        except UnicodeEncodeError:
            print(line.encode("ascii", "backslashreplace").decode(), file=stream, flush=True)
    except OSError:
        # A pipe whose reader has gone, a terminal that was closed, a full disk. Python tries to write the
        # rest when it ends, and would end with a failure.
        with suppress(OSError), open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - no path of a file
            os.dup2(nowhere.fileno(), stream.fileno())


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="weft",
        description="Tables that Python and JavaScript programs edit together, over Yjs or Automerge.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"weft {version('weft')}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command", parser_class=_Parser)
    serve = commands.add_parser(
        "serve",
        help="serve rooms to y-websocket clients, and documents to automerge-repo clients",
        description="Serve rooms to y-websocket clients, at ws://HOST:PORT/ROOM, and documents to "
        "automerge-repo clients, all of them at ws://HOST:PORT (where weft[automerge] is installed). There "
        "is no authentication: who can connect may edit. A server with users is a few lines of Python, see "
        "weft.server.",
        allow_abbrev=False,
    )
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    serve.add_argument(
        "--port", type=_port, default=1234, help="port to listen on, 0 for a free one (default: %(default)s)"
    )
    serve.add_argument(
        "--db",
        default="weft.sqlite3",
        type=_address,
        metavar="ADDRESS",
        help="where all that is served is kept: a SQLite file, memory:, or postgresql://USER@HOST/DATABASE "
        "(default: %(default)s)",
    )
    serve.add_argument(
        "--origin",
        action="append",
        type=_origin,
        metavar="ORIGIN",
        help="web origin whose pages may connect, such as https://app.example.com; may be repeated; '*' for "
        "all (default: pages of this machine). Programs that are no browsers send none and may connect",
    )
    serve.add_argument(
        "--bridge",
        action="append",
        default=[],
        type=_room,
        metavar="ROOM",
        help="room that is an Automerge document at the same time, with the same tables; its URL is printed; "
        "may be repeated",
    )
    serve.add_argument(
        "--shared",
        action="store_true",
        help="let other processes read the SQLite file while it is served, as a backup does; at most one "
        "server may serve it all the same",
    )
    serve.add_argument(
        "--max-message",
        type=_size,
        default=DEFAULT_LIMITS.max_message,
        metavar="SIZE",
        help="most that a client may send in one message, in bytes or with K, M or G behind (default: 16M)",
    )
    serve.add_argument(
        "--max-documents",
        type=_count,
        default=DEFAULT_LIMITS.max_documents,
        metavar="NUMBER",
        help="most documents on one automerge-repo connection (default: %(default)s)",
    )
    demo = commands.add_parser(
        "demo",
        help="see two peers edit the same tables",
        description="Start a server and two peers, one of them in JavaScript where Node is installed, and "
        "watch them edit the same tables.",
        allow_abbrev=False,
    )
    db = commands.add_parser(
        "db",
        help="prepare the database of a server",
        description="What is done to the database of a server from outside.",
        allow_abbrev=False,
    )
    db_commands = db.add_subparsers(dest="db_command", required=True, metavar="command", parser_class=_Parser)
    init = db_commands.add_parser(
        "init",
        help="make the tables, if they are not there",
        description="Make what a storage needs before a server opens it: the tables of PostgreSQL, if they "
        "are not there. What is there is left alone.",
        allow_abbrev=False,
    )
    init.add_argument(
        "address",
        type=_address,
        metavar="ADDRESS",
        help="a SQLite file, memory:, or postgresql://USER@HOST/DATABASE",
    )
    for command in (serve, demo, init):
        command.add_argument("-v", "--verbose", action="count", default=0, help="log more; twice for all")
    return parser


def _address(text: str) -> str:
    from weft.server.storage import check_address

    try:
        return check_address(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _room(text: str) -> str:
    from urllib.parse import quote

    from weft.server.names import read_room

    try:
        return read_room("/" + quote(text, errors="surrogateescape"))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _origin(text: str) -> str:
    from weft.server.origins import check_origin

    try:
        return text if text == "*" else check_origin(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def _size(text: str) -> int:
    number = text.rstrip("KMG")
    if not (number.isascii() and number.isdigit() and int(number) and text[len(number) :] in _UNITS):
        raise argparse.ArgumentTypeError(f"{text!r} is not a size such as 500000, 64M or 1G")
    return int(number) * _UNITS[text[len(number) :]]


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text)):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 up")
    return int(text)


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) < 65536):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port number from 0 to 65535")
    return int(text)
