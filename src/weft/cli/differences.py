"""``weft diff``, ``pull`` and ``push``: how two Stores differ, and bringing what is in one to the other."""

from __future__ import annotations

import json
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from weft.cli.command import MisusedError, command, verbose
from weft.cli.output import progress, say
from weft.cli.paths import StorePath
from weft.cli.places import Access, access, address, as_json, is_missing, opened, run
from weft.errors import WeftError
from weft.values import UNDEFINED, json_equal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weft import Store
    from weft.changes import Content

__all__ = ["Difference", "bring", "cells_in", "diff", "differences"]

_AT_ONCE = 1000  # cells of a transaction, so that peers see it coming


class Difference(NamedTuple):
    """A cell or value that differs; ``UNDEFINED`` where it is not."""

    path: StorePath
    old: Any
    new: Any

    def __str__(self) -> str:
        if self.new is UNDEFINED:
            return f"- {self.path}: {_json(self.old)}"
        if self.old is UNDEFINED:
            return f"+ {self.path}: {_json(self.new)}"
        return f"~ {self.path}: {_json(self.old)} -> {_json(self.new)}"

    def to_json(self) -> str:
        """Write it as one object, also for :mod:`weft.cli.watch`."""
        names = ("value",) if self.path.is_value else ("table", "row", "cell")
        both = {"old": self.old, "new": self.new}
        given = {name: content for name, content in both.items() if content is not UNDEFINED}
        return _json({**dict(zip(names, self.path.ids, strict=True)), **given})


def _json(content: Any) -> str:
    return json.dumps(content, ensure_ascii=False)


def differences(old: Content, new: Content) -> Iterator[Difference]:
    """What would make one content of the other, cell by cell."""
    was, now = dict(cells_in(old)), dict(cells_in(new))
    for path, content in now.items():
        before = was.get(path, UNDEFINED)
        if before is UNDEFINED or not json_equal(before, content):
            yield Difference(path, before, content)
    for path, content in was.items():
        if path not in now:
            yield Difference(path, content, UNDEFINED)


def cells_in(content: Content) -> Iterator[tuple[StorePath, Any]]:
    """Give every cell and value, and where it is."""
    tables, values = content
    for table, rows in tables.items():
        for row, cells in rows.items():
            for cell, each in cells.items():
                yield StorePath(is_value=False, ids=(table, row, cell)), each
    for value, each in values.items():
        yield StorePath(is_value=True, ids=(value,)), each


@command()
@address("a")
@address("b")
@access
@as_json
@verbose
def diff(a: str, b: str, access: Access, *, as_json: bool) -> bool:
    """Say how two places differ: a line for each cell. The exit code is 1 if they do, and 2 for trouble."""
    context = click.get_current_context()
    try:
        found = sorted(
            differences(run(_content(a, access)), run(_content(b, access))), key=lambda each: each.path
        )
    except (WeftError, OSError) as error:
        raise MisusedError(context, click.UsageError(str(error), context)) from error
    for each in found:
        if not say(each.to_json() if as_json else str(each)):
            break
    return not found


async def _content(place: str, access: Access) -> Content:
    async with opened(place, access, make=False) as store:
        return store.get_content()


def _transfer(name: str, text: str) -> click.Command:
    @command(name)
    @address("source")
    @address("target")
    @click.option("--delete", is_flag=True, help="delete what only TARGET has, too")
    @click.option("--dry-run", is_flag=True, help="only say what it would come to")
    @access
    @as_json
    @verbose
    def transfer(
        source: str,
        target: str,
        access: Access,
        *,
        delete: bool,
        dry_run: bool,
        as_json: bool,
    ) -> None:
        run(_bring(source, target, access, delete=delete, dry_run=dry_run, as_json=as_json))

    transfer.help = text
    return transfer


pull = _transfer(
    "pull",
    """Bring what is in SOURCE to TARGET: a room, a replica, a file or a database each.

    Cells that TARGET alone has stay, unless --delete is given; of all others it gets SOURCE's.
    """,
)
push = _transfer(
    "push", "Bring what is in SOURCE to TARGET. It does what pull does, under the name that reads better."
)


async def _bring(
    source: str,
    target: str,
    access: Access,
    *,
    delete: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    content = await _content(source, access)
    if dry_run:
        here = ({}, {}) if is_missing(target) else await _content(target, access)
        todo = list(_todo(here, content, delete=delete))
    else:
        async with opened(target, access) as store:
            todo = list(_todo(store.get_content(), content, delete=delete))
            await bring(store, todo)
    deleted = sum(each.new is UNDEFINED for each in todo)
    count = {"set": len(todo) - deleted, "deleted": deleted}
    if as_json:
        say(_json(count))
    else:
        would = "would be " if dry_run else ""
        say(f"{count['set']} cells and values {would}set, {deleted} {would}deleted.")


def _todo(old: Content, new: Content, *, delete: bool) -> Iterator[Difference]:
    return (each for each in differences(old, new) if delete or each.new is not UNDEFINED)


async def bring(store: Store, todo: list[Difference]) -> None:
    """Write differences, in transactions that are not too large, with a bar where somebody looks on."""
    import asyncio

    steps = iter(todo)
    with progress(len(todo)) as advance:
        while some := list(islice(steps, _AT_ONCE)):
            with store.transaction():
                for path, _, new in some:
                    if new is UNDEFINED:
                        path.delete(store)
                    else:
                        path.set(store, new)
            advance(len(some))
            await asyncio.sleep(0)  # it goes out meanwhile
