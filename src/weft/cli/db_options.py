"""The commands of ``weft db`` and their options."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from weft.cli import values
from weft.cli.command import group, verbose
from weft.cli.places import as_json, run

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["db"]

_Decorated = Callable[..., Any]


def _address(kind: Callable[[str], str] = values.lasting_database) -> Callable[[_Decorated], _Decorated]:
    """Give a command its storage: a SQLite file, or ``postgresql://USER@HOST/DATABASE``."""

    def decorate(function: _Decorated) -> _Decorated:
        return click.argument("address", type=kind, metavar="ADDRESS")(verbose(function))

    return decorate


_room = click.argument("room", metavar="ROOM")
_file = click.argument("file", metavar="FILE")


@group()
def db() -> None:
    """See to the database of a server: check, list, copy, delete, compact.

    ADDRESS is a SQLite file, or postgresql://USER@HOST/DATABASE; ROOM is a room's name, the URL of an
    Automerge document, or mergeable:NAME for a room of TinyBase's.
    """


@db.command()
@_address(values.database)
def init(address: str) -> None:
    """Make the tables, if they are not there.

    Makes what a storage needs before a server opens it: the tables of PostgreSQL. What is there stays.
    """
    from weft.cli import db as work

    run(work.init(address))


@db.command()
@_address()
def check(address: str) -> bool | None:
    """See whether every room can be read.

    Verifies checksums and numbers, and loads every room as a server would, whether or not one is running.
    What is wrong is said by room and row; the exit code is 1 then.
    """
    from weft.cli import db_check
    from weft.cli.output import say

    return run(db_check.check(address, say=say))


@db.command()
@_address()
@click.option("--prefix", default="", metavar="TEXT", help="only those whose names begin with it")
@click.option("--after", default="", metavar="NAME", help="begin behind this name")
@click.option("--limit", type=values.count, metavar="NUMBER", help="most to list (default: all)")
@as_json
def rooms(address: str, *, prefix: str, after: str, limit: int | None, as_json: bool) -> None:
    """List the rooms in the order of their names, with their sizes."""
    from weft.cli import db as work

    run(work.list_rooms(address, prefix=prefix, after=after, limit=limit, as_json=as_json))


@db.command()
@_address()
@_file
@click.option("--room", "rooms", multiple=True, metavar="ROOM", help="may be repeated (default: all rooms)")
def export(address: str, file: str, rooms: Sequence[str]) -> None:
    """Write rooms to a file of JSON lines, '-' for the standard output.

    They are written as of one moment. A server may be running.
    """
    from weft.cli import db as work

    run(work.export_rooms(address, file, rooms))


@db.command("import")
@_address()
@_file
def import_(address: str, file: str) -> bool | None:
    """Add the rooms of a file of weft db export, '-' for the standard input.

    What is there stays, and gets what it has not.
    """
    from weft.cli import db as work

    return run(work.import_file(address, file))


@db.command()
@_address()
@_file
def backup(address: str, file: str) -> None:
    """Copy all rooms to a new SQLite file that can be served as it is.

    They are copied as of one moment. A server may be running; everything that it confirmed before is in the
    copy.
    """
    from weft.cli import db as work

    run(work.back_up(address, file))


@db.command()
@_address()
@_room
@click.option("--yes", is_flag=True, help="do not ask")
@click.option(
    "--free",
    is_flag=True,
    help="let a new room have the name; a client that still has the old room's content brings it back when "
    "it connects",
)
def delete(address: str, room: str, *, yes: bool, free: bool) -> bool | None:
    """Delete a room for good. Who is in it is let go."""
    from weft.cli import db as work

    return run(work.delete(address, room, yes=yes, free=free))


@db.command()
@_address()
@_room
@click.option("--yes", is_flag=True, help="do not ask")
def accept(address: str, room: str, *, yes: bool) -> bool | None:
    """Open a room without rows that are missing.

    A room of which rows are missing is not opened. This has it be opened as it is from now on; what they held
    is lost, unless a client that has it connects.
    """
    from weft.cli import db_quarantine

    return run(db_quarantine.accept(address, room, yes=yes))


@db.command()
@_address()
@click.argument("rooms", nargs=-1, metavar="[ROOM]...")
def compact(address: str, rooms: Sequence[str]) -> None:
    """Make the logs of rooms small: all, if none is named.

    Makes one update out of many, as a server does by itself. What a room is to keep it keeps.
    """
    from weft.cli import db as work

    run(work.compact(address, rooms))


@db.group()
def quarantine() -> None:
    """See to rows that a server could not read when it opened a room, and has set aside."""


_number = click.argument("number", type=values.count, metavar="NUMBER")


@quarantine.command("list")
@_address()
@as_json
def list_(address: str, *, as_json: bool) -> None:
    """Say which rows were set aside, and why."""
    from weft.cli import db_quarantine

    run(db_quarantine.list_rows(address, as_json=as_json))


@quarantine.command()
@_address()
@_room
@_number
@click.option("--file", metavar="FILE", help="file to make of its bytes")
def show(address: str, room: str, number: int, file: str | None) -> None:
    """Print the bytes of a row, in hexadecimal, or write them to a file."""
    from weft.cli import db_quarantine

    run(db_quarantine.show(address, room, number, file=file))


@quarantine.command()
@_address()
@_room
@_number
def restore(address: str, room: str, number: int) -> None:
    """Put a row back into its room, as the last.

    If it still cannot be read, it is set aside again.
    """
    from weft.cli import db_quarantine

    run(db_quarantine.restore(address, room, number))


@quarantine.command()
@_address()
@_room
@click.argument("numbers", type=values.count, nargs=-1, metavar="[NUMBER]...")
@click.option("--yes", is_flag=True, help="do not ask")
def discard(address: str, room: str, numbers: Sequence[int], *, yes: bool) -> bool | None:
    """Delete rows of a room that were set aside, for good: all, if no number is given."""
    from weft.cli import db_quarantine

    return run(db_quarantine.discard(address, room, numbers, yes=yes))
