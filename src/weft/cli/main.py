"""The command ``weft``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from weft.cli.output import open_standard_streams, print_line

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]

# What the shell sees of a command that failed at its work, and of one that was ended by Ctrl-C (128 and the
# signal's number).
_FAILED, _INTERRUPTED = 1, 130

# Packages that a command may find missing, and the extra that brings each.
_EXTRAS = {
    "click": "cli",
    "rich": "cli",
    "pycrdt": "server",
    "websockets": "server",
    "automerge": "automerge",
    "cbor2": "automerge",
    "asyncpg": "postgres",
    "redis": "redis",
    "nats": "nats",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: Without the program's name; ``None`` for those of the process.

    Returns:
        The exit code: 0 for done, 1 for failed, 2 for misused, 130 for interrupted.
    """
    open_standard_streams()
    try:
        return _run(arguments)
    except ImportError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in _EXTRAS:
            raise
        extra = _EXTRAS[missing]
        print_line(f"weft: {missing} is missing; install it with: pip install 'weft[{extra}]'", sys.stderr)
        return _FAILED


def _run(arguments: Sequence[str] | None) -> int:
    import click

    from weft.cli.commands import weft

    try:
        done = weft.main(arguments, prog_name="weft", standalone_mode=False)
    except click.ClickException as error:
        print_line(error.format_message(), sys.stderr)
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return _INTERRUPTED
    # Of --help and its like click gives the exit code, of a command what that returned.
    return done if type(done) is int else _FAILED if done is False else 0
