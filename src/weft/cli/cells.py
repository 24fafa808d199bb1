"""``weft get``, ``set`` and ``del``: one place in a Store, from a shell."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from weft.cli.command import FailedError, command, verbose
from weft.cli.output import say
from weft.cli.paths import StorePath
from weft.cli.places import Access, access, address, as_json, opened, run
from weft.values import UNDEFINED

__all__ = ["del_", "get", "set_"]

_path = click.argument("path", type=StorePath.parse, metavar="PATH")


@command()
@address()
@click.argument("path", type=StorePath.parse, metavar="[PATH]", default="")
@access
@as_json
@verbose
def get(address: str, path: StorePath, access: Access, *, as_json: bool) -> None:
    """Print a cell, a row, a table, a value, or all tables.

    PATH is TABLE/ROW/CELL or less, or @VALUE. Text is printed as it is, all else as JSON.
    """
    run(_get(address, path, access, as_json=as_json))


async def _get(address: str, path: StorePath, access: Access, *, as_json: bool) -> None:
    async with opened(address, access, make=False) as store:
        found = path.get(store)
    if found is UNDEFINED:
        raise FailedError(click.get_current_context(), f"there is no {path}")
    say(found if isinstance(found, str) and not as_json else json.dumps(found, ensure_ascii=False))


@command("set")
@address()
@_path
@click.argument("value", metavar="VALUE")
@click.option("--text", is_flag=True, help="take VALUE as text, also where it is JSON")
@access
@verbose
def set_(address: str, path: StorePath, value: str, access: Access, *, text: bool) -> None:
    """Set a cell, a row, a table or a value.

    VALUE is JSON, or text where it is none; '-' reads it from the standard input.
    """
    if value == "-":
        value = sys.stdin.read()
    run(_set(address, path, value if text else _content(value), access))


def _content(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


async def _set(address: str, path: StorePath, content: Any, access: Access) -> None:
    async with opened(address, access) as store:
        try:
            path.set(store, content)
        except (ValueError, TypeError) as error:
            raise FailedError(click.get_current_context(), error) from error


@command("del")
@address()
@_path
@access
@verbose
def del_(address: str, path: StorePath, access: Access) -> None:
    """Delete a cell, a row, a table or a value."""
    run(_del(address, path, access))


async def _del(address: str, path: StorePath, access: Access) -> None:
    async with opened(address, access, make=False) as store:
        if path.get(store) is UNDEFINED:
            raise FailedError(click.get_current_context(), f"there is no {path}")
        path.delete(store)
