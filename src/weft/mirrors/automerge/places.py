"""Which places of a Store changes of an Automerge document are of, without applying them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft._codecs.automerge.change import DEL, decode_change
from weft._codecs.automerge.chunks import split_chunks
from weft.mirrors.automerge.index import is_container
from weft.mirrors.automerge.keys import decode_key

if TYPE_CHECKING:
    from weft._codecs.automerge.change import OpId
    from weft.mirrors.automerge.index import DocumentIndex, Path

__all__ = ["places_in"]


def places_in(chunks: bytes, index: DocumentIndex) -> tuple[set[Path], set[Path]]:
    """The places of cells and values that changes wrote, and of maps that they deleted.

    Takes time linear in the changes. What they wrote into maps that were deleted, or have lost, is left out,
    unless they made these themselves.

    Args:
        chunks: Changes, one behind the other, each behind those of them that it builds on.
        index: Of the document, which has them.

    Raises:
        RemoteProtocolError: They are none.
    """
    made: dict[OpId, Path] = {}
    written: set[Path] = set()
    deleted: set[Path] = set()
    for chunk in split_chunks(chunks):
        for op in decode_change(chunk.data).ops:
            if op.obj is None:
                if op.key == index.root_key:
                    made[op.id] = ()
                continue
            parent = made.get(op.obj)
            if parent is None:
                parent = index.place(op.obj)
            if parent is None:
                continue
            path = parent
            if is_container(parent):
                if op.key is None:
                    continue
                path = (*parent, decode_key(op.key))
                made[op.id] = path
            if not is_container(path):
                written.add(path)
            elif op.action == DEL:
                deleted.add(path)
    return written, deleted
