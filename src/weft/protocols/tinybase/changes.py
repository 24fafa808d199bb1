"""Putting mergeable changes together: what one turn of an event loop wrote is told as one message."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from weft.documents.mergeable import MergeableChanges

__all__ = ["hlc_of", "merge_changes", "merge_tables"]


def hlc_of(stamp: list[Any]) -> str:
    """The stamp of the clock in a stamp; the empty text where there is none."""
    hlc: str = stamp[1] if len(stamp) > 1 else ""
    return hlc


def merge_changes(several: Iterable[MergeableChanges]) -> MergeableChanges:
    """Give changes that say what all of them say, the later stamp of each; none of them is changed."""
    merged: MergeableChanges = [[{}], [{}], 1]
    for each in several:
        merge_tables(merged[0], each[0])
        _merge_things(merged[1], each[1])
    return merged


def merge_tables(tables: list[Any], more: list[Any]) -> None:
    """Put a stamp of tables into another one, which it goes on from."""
    for table_id, table in more[0].items():
        rows = tables[0].setdefault(table_id, [{}])
        for row_id, row in table[0].items():
            _merge_things(rows[0].setdefault(row_id, [{}]), row)
        _keep_later(rows, table)
    _keep_later(tables, more)


def _merge_things(things: list[Any], more: list[Any]) -> None:
    known = things[0]
    for thing_id, stamp in more[0].items():
        if thing_id not in known or hlc_of(stamp) >= hlc_of(known[thing_id]):
            known[thing_id] = stamp
    _keep_later(things, more)


def _keep_later(stamp: list[Any], other: list[Any]) -> None:
    """Of the stamps of the clock that only TinyBase 5 gave to rows and tables, the later one holds."""
    if hlc_of(other) > hlc_of(stamp):
        stamp[1:] = [other[1]]
