"""``weft completion``: what a shell needs to complete the commands and options of weft."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from weft.cli.command import command
from weft.cli.output import say

__all__ = ["completion"]


@command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print what a shell needs to complete commands and options.

    For bash: weft completion bash >> ~/.bashrc; for zsh and fish likewise, into their files.
    """
    context = click.get_current_context()
    kind = get_completion_class(shell)
    assert kind is not None  # noqa: S101 - one of the three
    say(kind(context.find_root().command, {}, "weft", "_WEFT_COMPLETE").source())
