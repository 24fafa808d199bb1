"""Automerge documents in one process: synchronising them, and reading them without the code under test."""

from __future__ import annotations

from itertools import combinations
from typing import Any

from support.ydocs import decode_cell
from weft.documents.automerge.binding import ROOT, ObjType, ScalarType
from weft.documents.automerge.document import AutomergeDocument

__all__ = ["at", "content", "deliver", "exchange", "log_of", "numbered_document", "project", "put", "sync"]


def numbered_document(number: int) -> AutomergeDocument:
    """A document whose actor is the number: of two concurrent writes, that of the higher one wins."""
    return AutomergeDocument(actor=number.to_bytes(16))


def sync(one: AutomergeDocument, other: AutomergeDocument, origin: object = "net") -> None:
    """Let two documents exchange sync messages until both have nothing to say."""
    ends = [(one, one.new_sync_state()), (other, other.new_sync_state())]
    quiet = 0
    while quiet < 2:
        message = ends[0][0].generate_sync_message(ends[0][1])
        quiet = 0 if message else quiet + 1
        if message:
            ends[1][0].receive_sync_message(ends[1][1], message, origin=origin)
        ends.reverse()


def deliver(source: AutomergeDocument, target: AutomergeDocument) -> None:
    """Give one document all that the other has."""
    target.apply_changes(source.changes_since(()), origin="net")


def exchange(*documents: AutomergeDocument) -> None:
    """Synchronise until all have the same; healing makes new changes."""
    for _ in range(20):
        for one, other in combinations(documents, 2):
            sync(one, other)
        if len({document.heads for document in documents}) == 1:
            return
    raise AssertionError("the documents do not come to rest")


def project(document: AutomergeDocument, name: str = "tinybase") -> tuple[Any, Any]:
    """What a TinyBase Store makes of the document: tables and values; empty maps read as absent."""
    core = document.core

    def plain(found: Any) -> Any:
        kind, object_id = found
        if isinstance(kind, tuple):
            return decode_cell(kind[1])
        if kind == ObjType.Text:
            return decode_cell(core.text(object_id))
        assert kind == ObjType.Map, kind
        found_at = {key: core.get(object_id, key) for key in core.keys(object_id)}
        return {
            key.removeprefix("\0"): part
            for key, below in found_at.items()
            if (part := plain(below)) != {} or (below and below[0] != ObjType.Map)
        }

    root = core.get(ROOT, name)
    content = {} if root is None else plain(root)
    return content.get("t", {}), content.get("v", {})


def at(document: AutomergeDocument, *keys: str) -> bytes:
    """The object at a path."""
    found = ROOT
    for key in keys:
        read = document.core.get(found, key)
        assert read is not None, key
        found = read[1]
    return found


def put(document: AutomergeDocument, key: str, number: int, *, origin: object = None) -> None:
    """Write a number into the root, in a transaction of its own."""
    with document.transaction(origin=origin) as tx:
        tx.put(ROOT, key, ScalarType.Int, number)


def content(document: AutomergeDocument) -> dict[str, object]:
    """What the root holds."""
    values = zip(document.core.keys(ROOT), document.core.values(ROOT), strict=True)
    return {key: value[0][1] for key, value in values}


def log_of(count: int) -> list[bytes]:
    """So many changes, each of one key."""
    document = AutomergeDocument(actor=b"\x02" * 16)
    for number in range(count):
        put(document, f"k{number}", number)
    return document.changes_since(())
