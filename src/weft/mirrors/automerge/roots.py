"""The changes that make the containers of declared shapes: the same at every peer, so that they merge."""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING

from weft.documents.automerge.binding import ROOT
from weft.documents.automerge.document import AutomergeDocument
from weft.mirrors.automerge.keys import object_id
from weft.mirrors.automerge.tree import object_type
from weft.mirrors.shapes import Kind

if TYPE_CHECKING:
    from weft._codecs.automerge.change import OpId

__all__ = ["genesis", "made_by_genesis"]


def _actor(path: tuple[str, ...], kind: Kind) -> bytes:
    # An actor's changes must be one line, so each has its own; a low one, so that what a JavaScript peer made
    # at the same time wins: weft can heal, that peer cannot.
    return bytes(8) + sha256(repr((path, kind.value)).encode()).digest()[:8]


def made_by_genesis(path: tuple[str, ...], kind: Kind) -> OpId:
    """The container that :func:`genesis` makes."""
    return _actor(path, kind), len(path)


@cache
def genesis(path: tuple[str, ...], kind: Kind) -> bytes:
    """The change that makes a container in a document that has nothing there.

    Args:
        path: Keys from the root map on. All but the last are of maps that such changes made.
        kind: What to make.
    """
    actor = _actor(path, kind)
    document = AutomergeDocument(actor=actor)
    above = [genesis(path[:number], Kind.MAP) for number in range(1, len(path))]
    document.apply_changes(above)
    heads = document.heads
    parent = object_id(made_by_genesis(path[:-1], Kind.MAP)) if len(path) > 1 else ROOT
    with document.transaction() as transaction:
        transaction.put_object(parent, path[-1], object_type(kind))
    return document.changes_since(heads)[0]
