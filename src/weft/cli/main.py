"""The command ``weft``."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from contextlib import suppress
from importlib.metadata import version
from typing import TYPE_CHECKING, NoReturn

from weft.cli.db_options import add_db_commands
from weft.cli.serve_options import add_serve_options, check_serve_options, serve_arguments
from weft.errors import WeftError

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
    "redis": "redis",
    "nats": "nats",
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
        if options.command == "serve":
            check_serve_options(options, options.parser)
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
                runner.run(serve(**serve_arguments(options), say=_say))
        elif options.command == "db":
            import asyncio

            from weft.cli.db import run

            return _DONE if asyncio.run(run(options, say=_say)) else _FAILED
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
    add_serve_options(serve)
    serve.set_defaults(parser=serve)
    demo = commands.add_parser(
        "demo",
        help="see two peers edit the same tables",
        description="Start a server and two peers, one of them in JavaScript where Node is installed, and "
        "watch them edit the same tables.",
        allow_abbrev=False,
    )
    db = commands.add_parser(
        "db",
        help="see to the database of a server: check, list, copy, delete, compact",
        description="What is done to the database of a server from outside.",
        allow_abbrev=False,
    )
    add_db_commands(db)
    for command in (serve, demo):
        command.add_argument("-v", "--verbose", action="count", default=0, help="log more; twice for all")
    return parser
