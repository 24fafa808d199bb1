"""The commands of ``weft db`` and their options."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft.cli import values

if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Callable

__all__ = ["add_db_commands"]

_COMMANDS = {
    "init": (
        "make the tables, if they are not there",
        "Make what a storage needs before a server opens it: the tables of PostgreSQL. What is there stays.",
    ),
    "check": (
        "see whether every room can be read",
        "Verify checksums and numbers, and load every room as a server would, whether or not one is running. "
        "What is wrong is said by room and row; the exit code is 1 then.",
    ),
    "rooms": ("list the rooms, with their sizes", "List the rooms in the order of their names."),
    "export": (
        "write rooms to a file of JSON lines",
        "Write rooms, as of one moment, to a file that weft db import reads. A server may be running.",
    ),
    "import": (
        "add the rooms of such a file",
        "Add the rooms of a file of weft db export. What is there stays, and gets what it has not.",
    ),
    "backup": (
        "copy all rooms to a SQLite file",
        "Copy all rooms, as of one moment, to a SQLite file that can be served as it is. A server may be "
        "running; everything that it confirmed before is in the copy.",
    ),
    "delete": ("delete a room", "Delete a room for good. Who is in it is let go."),
    "quarantine": (
        "see to rows that could not be read",
        "See to rows that a server could not read when it opened a room, and has set aside.",
    ),
    "compact": (
        "make the logs of rooms small",
        "Make one update out of many, as a server does by itself. What a room is to keep it keeps.",
    ),
}


_QUARANTINE = {
    "list": ("list the rows that were set aside", "Say which rows were set aside, and why."),
    "show": ("show the bytes of a row", "Print the bytes of a row, in hexadecimal, or write them to a file."),
    "restore": (
        "put a row back",
        "Put a row back into its room, as the last. If it still cannot be read, it is set aside again.",
    ),
}


def add_db_commands(db: ArgumentParser) -> None:
    """Tell the parser of ``weft db`` of them."""
    commands = db.add_subparsers(dest="db_command", required=True, metavar="command", parser_class=type(db))
    parsers = {}
    for name, (short, long) in _COMMANDS.items():
        parser = parsers[name] = commands.add_parser(name, help=short, description=long, allow_abbrev=False)
        if name == "quarantine":
            _add_quarantine_commands(parser)
        else:
            _add_address(parser, values.database if name == "init" else values.lasting_database)
    rooms = parsers["rooms"]
    rooms.add_argument("--prefix", default="", metavar="TEXT", help="only those whose names begin with it")
    rooms.add_argument("--after", default="", metavar="NAME", help="begin behind this name")
    rooms.add_argument("--limit", type=values.count, metavar="NUMBER", help="most to list (default: all)")
    export = parsers["export"]
    export.add_argument("file", metavar="FILE", help="file to make, '-' for the standard output")
    export.add_argument(
        "--room", action="append", default=[], metavar="ROOM", help="may be repeated (default: all rooms)"
    )
    parsers["import"].add_argument("file", metavar="FILE", help="file to read, '-' for the standard input")
    parsers["backup"].add_argument("file", metavar="FILE", help="file to make")
    delete = parsers["delete"]
    delete.add_argument("room", metavar="ROOM", help="its name, or the URL of an Automerge document")
    delete.add_argument("--yes", action="store_true", help="do not ask")
    delete.add_argument(
        "--free",
        action="store_true",
        help="let a new room have the name; a client that still has the old "
        "room's content brings it back when it connects",
    )
    parsers["compact"].add_argument("room", nargs="*", metavar="ROOM", help="(default: all rooms)")


def _add_quarantine_commands(quarantine: ArgumentParser) -> None:
    commands = quarantine.add_subparsers(
        dest="quarantine_command", required=True, metavar="command", parser_class=type(quarantine)
    )
    for name, (short, long) in _QUARANTINE.items():
        parser = commands.add_parser(name, help=short, description=long, allow_abbrev=False)
        _add_address(parser, values.lasting_database)
        if name != "list":
            parser.add_argument("room", metavar="ROOM", help="its name, or the URL of an Automerge document")
            parser.add_argument("number", type=values.count, metavar="NUMBER", help="the row's number")
        if name == "show":
            parser.add_argument("--file", metavar="FILE", help="file to make of its bytes")


def _add_address(parser: ArgumentParser, kind: Callable[[str], str]) -> None:
    parser.add_argument(
        "address",
        type=kind,
        metavar="ADDRESS",
        help="a SQLite file, or postgresql://USER@HOST/DATABASE",
    )
    parser.add_argument("-v", "--verbose", action="count", default=0, help="log more; twice for all")
