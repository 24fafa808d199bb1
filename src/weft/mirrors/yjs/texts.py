"""One Y.Text as weft reads and writes it: strings, and deltas in UTF-16 code units.

The binding counts bytes of UTF-8, where an embed is one. What is *measured* here is the string with a NUL,
one byte and one code unit, in the place of each embed: lengths of its parts are right in both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from weft.deltas import EMBED, apply, compose, from_cell, smallest_edit, utf16_length
from weft.jsoncodec import normal_number

if TYPE_CHECKING:
    from weft.deltas import Delta
    from weft.documents.yjs.binding import RawText, Txn
    from weft.store.replica import Replica, TextKey

__all__ = [
    "copy_text",
    "edit_text",
    "measure",
    "plain",
    "read_delta",
    "read_string",
    "text_before",
    "to_utf16_delta",
    "write_delta",
    "write_text",
]

_NUL = "\0"


def measure(txn: Txn, text: RawText) -> tuple[str, str]:
    """Give the text as it is measured, and its string."""
    string = text.get_string(txn)
    length = len(string) if string.isascii() else len(string.encode())
    if length == text.len(txn):
        return string, string
    parts = [part if isinstance(part, str) else None for part, _ in text.diff(txn)]
    return (
        "".join(_NUL if part is None else part for part in parts),
        "".join(EMBED if part is None else part for part in parts),
    )


def read_string(txn: Txn, text: RawText) -> str:
    """The string, in which U+FFFC stands for each embed."""
    return measure(txn, text)[1]


def read_delta(txn: Txn, text: RawText) -> Delta:
    """The text with its formats."""
    return compose(
        [
            {"insert": plain(part), "attributes": plain(attributes)}
            if attributes
            else {"insert": plain(part)}
            for part, attributes in text.diff(txn)
        ],
        [],
    )


def plain(value: Any) -> Any:
    """A value of the binding with numbers in their one form; a shared type in a text is an empty object."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if type(value) is float:
        return normal_number(value)
    return value if value is None or isinstance(value, (str, int, float)) else {}


def to_utf16_delta(heard: list[dict[str, Any]], old: str, new: str) -> Delta | None:
    """Turn the delta of an event, which counts bytes, into one of UTF-16 code units.

    Args:
        heard: The event's.
        old: The string before it.
        new: The string after it.

    Returns:
        The delta; ``None`` where it does not lead from one to the other.
    """
    measured = old.replace(EMBED, _NUL).encode()
    is_ascii = len(measured) == len(old)
    at = 0
    delta: Delta = []
    try:
        for operation in heard:
            made: dict[str, Any] = {}
            for kind, content in operation.items():
                if kind in {"insert", "attributes"}:
                    made[kind] = plain(content)
                    continue
                units = content if is_ascii else utf16_length(measured[at : at + content].decode())
                at += content
                made[kind] = units
            delta.append(made)
        return delta if apply(old, delta) == new else None
    except ValueError:  # what was heard is of another string, or cuts a character
        return None


def write_delta(txn: Txn, text: RawText, delta: Delta, new: str | None) -> None:
    """Change the text as a delta says; where that does not lead to the string, by the smallest edit.

    Args:
        txn: The open transaction.
        text: The text.
        delta: The delta.
        new: The string that it leads to, if that is known.
    """
    if delta and new is not None and new.isascii():
        last = delta[-1]
        typed = last.get("insert")
        # Typing is most of it: one string, behind what stays.
        if len(delta) <= 2 and typed.__class__ is str and "attributes" not in last:
            at = delta[0].get("retain", 0)
            if "attributes" not in delta[0] and text.len(txn) + len(typed) == len(new):
                text.insert(txn, at, typed, iter(()))
                return
    if new is not None and new.isascii() and text.len(txn) + _growth(delta) == len(new):
        # As many bytes as code units, before and after: all places are what they are.
        _apply(txn, text, delta, None)
        return
    measured, string = measure(txn, text)
    try:
        leads_to = apply(string, delta)
    except ValueError:
        leads_to = None
    if new is not None and leads_to != new:
        delta = smallest_edit(string, new)
    elif leads_to is None:
        return  # what was to be edited is gone
    _apply(txn, text, delta, measured)


def write_text(txn: Txn, text: RawText, new: str) -> None:
    """Make the text another string by the smallest edit."""
    measured, string = measure(txn, text)
    if delta := smallest_edit(string, new):
        _apply(txn, text, delta, measured)


def edit_text(txn: Txn, text: RawText, delta: Delta) -> None:
    """Do to a text what a delta says that was made for it as it is."""
    _apply(txn, text, delta, measure(txn, text)[0])


def copy_text(source: Any, target: Any, txn: Txn) -> None:
    """Write what a text holds, with its formats, to the end of another."""
    for value, attributes in source.diff(txn):
        if isinstance(value, str):
            target.insert(txn, target.len(txn), value, attributes)
        else:
            target.insert_embed(txn, target.len(txn), value, attributes)


def _growth(delta: Delta) -> int:
    """By how many code units a text grows."""
    growth = 0
    for operation in delta:
        inserted = operation.get("insert")
        if inserted is None:
            growth -= operation.get("delete", 0)
        else:
            growth += utf16_length(inserted) if isinstance(inserted, str) else 1
    return growth


def _apply(txn: Txn, text: RawText, delta: Delta, measured: str | None) -> None:
    """Apply a delta to a text; without ``measured`` each code unit is one byte."""
    units = None if measured is None or measured.isascii() else measured.encode("utf-16-le")
    at = done = 0  # in bytes of what stands there now, and in code units of what stood there
    for operation in delta:
        attributes = operation.get("attributes")
        inserted = operation.get("insert")
        if inserted is None:
            length = operation.get("retain") or operation["delete"]
            size = length
            if units is not None:
                size = len(units[2 * done : 2 * (done + length)].decode("utf-16-le").encode())
            done += length
            if "delete" in operation:
                text.remove_range(txn, at, size)
                continue
            if attributes:
                text.format(txn, at, size, iter(attributes.items()))
            at += size
        elif isinstance(inserted, str):
            # Without attributes the binding would take those that stand there.
            text.insert(txn, at, inserted, iter((attributes or {}).items()))
            at += len(inserted) if inserted.isascii() else len(inserted.encode())
        else:
            text.insert_embed(txn, at, inserted, iter((attributes or {}).items()))
            at += 1


def text_before(replica: Replica, key: TextKey) -> str | None:
    """The string of a text that a Store has, without what an open transaction has written.

    It is the document's before the commit in progress, where nothing is owed; ``None`` where it is no text.
    """
    table_id, row_id, cell_id = key
    cell: object = replica.tables.get(table_id, {}).get(row_id, {}).get(cell_id)
    if replica.is_busy:
        touched, _ = replica.touched()
        cell = touched.get(table_id, {}).get(row_id, {}).get(cell_id, cell)
    return from_cell(cell) if isinstance(cell, str) else None
