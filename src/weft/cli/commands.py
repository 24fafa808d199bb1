"""The commands of ``weft``."""

from __future__ import annotations

import click

from weft.cli.command import command, group, verbose
from weft.cli.db_options import db
from weft.cli.serve_options import serve

__all__ = ["weft"]


@group()
@click.version_option(package_name="weft", prog_name="weft", message="%(prog)s %(version)s")
def weft() -> None:
    """Tables that Python and JavaScript programs edit together, over Yjs or Automerge."""


@command()
@verbose
def demo() -> None:
    """See two peers edit the same tables.

    Starts a server and two peers, one of them in JavaScript where Node is installed.
    """
    from weft.cli.demo import demo as run
    from weft.cli.output import say

    run(say=say)


for each in (serve, demo, db):
    weft.add_command(each)
