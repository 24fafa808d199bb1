"""Editing texts of the binding: offsets are UTF-16 units in deltas, and bytes of UTF-8 in the binding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from weft.deltas import Delta
    from weft.documents.yjs.binding import Txn

__all__ = ["copy_text", "edit_text"]


def edit_text(node: Any, txn: Txn, delta: Delta) -> None:
    """Do to a text what a delta says."""
    at = 0
    for step in delta:
        if "retain" in step:
            at += step["retain"]
        elif "delete" in step:
            node.remove_range(txn, at, step["delete"])
        else:
            node.insert(txn, at, step["insert"])
            at += len(step["insert"])


def copy_text(source: Any, target: Any, txn: Txn) -> None:
    """Write what a text holds, with its formats, to the end of another."""
    for value, attributes in source.diff(txn):
        if isinstance(value, str):
            target.insert(txn, target.len(txn), value, attributes)
        else:
            target.insert_embed(txn, target.len(txn), value, attributes)
