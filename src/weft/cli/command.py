"""What all commands of ``weft`` are: how they say what is wrong, and how much they log."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import click

from weft.errors import WeftError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["FailedError", "MisusedError", "command", "group", "verbose"]


class FailedError(click.ClickException):
    """A command failed at its work; the sentence begins with its name."""

    def __init__(self, context: click.Context, error: Exception | str) -> None:
        super().__init__(f"{context.command_path}: {error}")


class MisusedError(click.ClickException):
    """A line that is no command, in one sentence; how it goes right is what ``--help`` is for."""

    exit_code = 2

    def __init__(self, context: click.Context, error: click.UsageError) -> None:
        path = (error.ctx or context).command_path
        text = " ".join(error.format_message().split()).rstrip(".")
        super().__init__(f"{path}: {text[:1].lower()}{text[1:]} (see {path} --help)")


class _Command(click.Command):
    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (WeftError, OSError) as error:
            raise FailedError(ctx, error) from error


class _Group(click.Group):
    command_class = _Command
    group_class = type

    def main(self, *arguments: Any, **options: Any) -> Any:
        try:
            return super().main(*arguments, **options)
        except click.UsageError as error:
            raise MisusedError(click.Context(self, info_name="weft"), error) from error


def _set_level(_context: click.Context, _parameter: click.Parameter, count: int) -> None:
    logging.basicConfig(
        level=[logging.WARNING, logging.INFO, logging.DEBUG][min(count, 2)],
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )


def command(
    name: str | None = None, *, epilog: str | None = None
) -> Callable[[Callable[..., Any]], click.Command]:
    """Make a command of a function: its options are parameters, its docstring is help, its name is the name.

    It may return ``False`` for an exit code of 1.
    """
    return click.command(name, cls=_Command, epilog=epilog)


def group() -> Callable[[Callable[..., Any]], click.Group]:
    """Make a word of a function under which there are commands."""
    return click.group(cls=_Group, no_args_is_help=False)


verbose = click.option(
    "-v", "--verbose", count=True, expose_value=False, callback=_set_level, help="log more; twice for all"
)
