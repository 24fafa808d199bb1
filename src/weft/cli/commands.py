"""The commands of ``weft``."""

from __future__ import annotations

import click

from weft.cli.cells import del_, get, set_
from weft.cli.command import command, group, verbose
from weft.cli.completion import completion
from weft.cli.db_options import db
from weft.cli.differences import diff, pull, push
from weft.cli.records import export, import_
from weft.cli.serve_options import serve
from weft.cli.watch import watch

__all__ = ["weft"]


@group()
@click.version_option(package_name="weft", prog_name="weft", message="%(prog)s %(version)s")
def weft() -> None:
    """Tables that Python and JavaScript programs edit together, over Yjs, Automerge or TinyBase.

    ADDRESS, SOURCE and TARGET are a room (ws://HOST:PORT/ROOM), an Automerge document
    (automerge+ws://HOST:PORT#automerge:ID), a room of TinyBase's (tinybase+ws://HOST:PORT/ROOM), a replica
    (FILE.weft), a file (FILE.json), or a database (sqlite:FILE, postgresql://HOST/DATABASE).
    """


@command()
@verbose
def demo() -> None:
    """See two peers edit the same tables.

    Starts a server and two peers, one of them in JavaScript where Node is installed.
    """
    from weft.cli.demo import demo as run
    from weft.cli.output import say

    run(say=say)


for each in (serve, demo, db, watch, get, set_, del_, pull, push, diff, import_, export, completion):
    weft.add_command(each)
