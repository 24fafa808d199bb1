"""Rows of real documents, and what compaction does to them, as a class of tests to subclass."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from pycrdt import Map

from support.repoclient import put, read as read_root
from weft.documents import compact_updates
from weft.documents.automerge.log import compact_changes
from weft.documents.mergeable import MergeableDocument
from weft.documents.mergeable.log import compact_rows, from_rows, write_row
from weft.documents.yjs.document import create_doc
from weft.mirrors import AutomergeDocument
from weft.testing.storage.hooks import StorageHooks

if TYPE_CHECKING:
    from collections.abc import Callable

    from pycrdt import Doc

    from weft.documents.compaction import Compactor


def write_updates(doc: Doc[Any], count: int, *, prefix: str = "k") -> list[bytes]:
    """Write keys into the root map ``m``, each in a transaction of its own, and return the updates."""
    updates: list[bytes] = []
    subscription = doc.observe(lambda event: updates.append(event.update))
    root = doc.get("m", type=Map)
    for number in range(count):
        root[f"{prefix}{number}"] = number
    doc.unobserve(subscription)
    return updates


def read(updates: list[bytes]) -> dict[str, Any]:
    """The root map ``m`` of a document made of these updates."""
    doc = create_doc()
    root = doc.get("m", type=Map)
    for update in updates:
        doc.apply_update(update)
    return dict(root.to_py() or {})


def write_changes(count: int) -> list[bytes]:
    """Write keys into an Automerge document, each in a transaction of its own, and return the changes."""
    document = AutomergeDocument()
    for number in range(count):
        put(document, **{f"k{number}": number})
    return document.changes_since(())


def read_changes(rows: list[bytes]) -> dict[str, Any]:
    """The root of an Automerge document made of these rows."""
    return read_root(AutomergeDocument.from_rows(rows))


def write_rows(count: int) -> list[bytes]:
    """Write cells into a mergeable document, each in a transaction of its own; the rows of its log."""
    document = MergeableDocument()
    rows: list[bytes] = []
    document.subscribe(lambda event: rows.append(write_row(event.changes)))
    for number in range(count):
        document.set_cell("t", "r", f"k{number}", number)
    return rows


def read_rows(rows: list[bytes]) -> dict[str, Any]:
    """A row of a mergeable document made of these rows."""
    return dict(from_rows(rows).get_living()[0]["t"]["r"])


@dataclass(frozen=True)
class Kind:
    """A kind of rooms: how to write its updates, how to read them, and what compacts them."""

    write: Callable[[int], list[bytes]]
    read: Callable[[list[bytes]], dict[str, Any]]
    compactor: Compactor


KINDS = {
    "yjs": Kind(lambda count: write_updates(create_doc(), count), read, compact_updates),
    "automerge": Kind(write_changes, read_changes, compact_changes),
    "mergeable": Kind(write_rows, read_rows, compact_rows),
}


class CompactionSuite(StorageHooks):
    """What compaction does to documents, in any storage."""

    @pytest.mark.parametrize("kind", KINDS)
    async def test_compaction_changes_nothing_that_can_be_read(self, kind: str) -> None:
        room = KINDS[kind]
        updates = room.write(200)
        async with self.make() as storage:
            for update in updates:
                storage.append("room", update)
            storage.append("other", updates[0])
            await storage.compact("room", room.compactor)
            loaded = (await storage.load("room")).rows
            assert len(loaded) <= len(updates)
            assert room.read(loaded) == room.read(updates)
            assert (await storage.load("other")).rows == [updates[0]]
        async with self.make() as storage:
            assert room.read((await storage.load("room")).rows) == room.read(updates)

    @pytest.mark.parametrize("kind", KINDS)
    async def test_updates_appended_during_a_compaction_survive_it(self, kind: str) -> None:
        room = KINDS[kind]
        updates = room.write(300)
        async with self.make() as storage:
            for update in updates[:200]:
                storage.append("room", update)
            compaction = asyncio.create_task(storage.compact("room", room.compactor))
            for update in updates[200:]:
                storage.append("room", update)
                await asyncio.sleep(0)
            await compaction
            assert room.read((await storage.load("room")).rows) == room.read(updates)
