"""Mergeable content and changes as TinyBase (10.0.1) writes them: shapes, JSON text, and checking them.

A stamp is a list: what is stamped, its stamp of the clock where there is one, and its hash where hashes are
given::

    content = [[{table: [{row: [{cell: [cell, hlc, hash]}, hlc, hash]}, hlc, hash]}, hlc, hash],
               [{value: [value, hlc, hash]}, hlc, hash]]
    changes = [[{table: [{row: [{cell: [cell, hlc]}]}]}], [{value: [value, hlc]}], 1]

Cells and values stand in their stored form (see :mod:`weft.values`), and are
:data:`~weft.values.UNDEFINED` where they were deleted, which is U+FFFC in JSON text.

A text of JavaScript may end within a pair of UTF-16, as ``slice`` cuts an emoji. It is kept, hashed and
handed on as it is; no Store shows it.
"""

from __future__ import annotations

from math import isfinite
from typing import Any, NamedTuple, TypeAlias

from weft.documents.mergeable.clock import is_hlc
from weft.documents.mergeable.hashes import quote
from weft.errors import InvalidJsonError, RemoteProtocolError
from weft.jsoncodec import MAX_SAFE_INTEGER, dumps, in_js_order, loads, number_text
from weft.values import (
    JSON_PREFIX,
    UNDEFINED,
    UNDEFINED_MARK,
    EncodedCell,
    Stored,
    Undefined,
    decode_received,
)

__all__ = [
    "Checked",
    "CheckedStamp",
    "MergeableChanges",
    "MergeableContent",
    "Stamp",
    "check_changes",
    "check_content",
    "check_tables",
    "check_values",
    "from_json",
    "to_json",
]

MergeableContent: TypeAlias = list[Any]
MergeableChanges: TypeAlias = list[Any]
Stamp: TypeAlias = "tuple[Stored | Undefined, str]"
"""A cell or value and its stamp of the clock; the empty text where it has none, which any other one beats."""


class CheckedStamp(NamedTuple):
    """What stands in a stamp that was checked: children by id, and its own stamp of the clock."""

    children: dict[str, Any]
    hlc: str


class Checked(NamedTuple):
    """Changes or content that were checked.

    Attributes:
        tables: Tables of rows of :data:`Stamp`.
        values: Values as :data:`Stamp`.
    """

    tables: CheckedStamp
    values: CheckedStamp


def to_json(content: object) -> str:
    """Write content, changes or a part of them as TinyBase does: compact, with U+FFFC for ``UNDEFINED``."""
    return _text(content)


def _text(value: Any) -> str:
    kind = type(value)
    if kind is str or kind is EncodedCell:
        return quote(value)
    if kind is list or kind is tuple:
        return f"[{','.join([_text(item) for item in value])}]"
    if kind is dict:
        entries = [f"{quote(key)}:{_text(item)}" for key, item in in_js_order(value).items()]
        return f"{{{','.join(entries)}}}"
    if kind is int:
        return int.__repr__(value)
    if kind is float:
        return number_text(value)
    if value is UNDEFINED:
        return f'"{UNDEFINED_MARK}"'
    return dumps(value)


def from_json(text: str | bytes) -> Any:
    """Read JSON text of TinyBase: every string that is just U+FFFC is ``UNDEFINED``.

    What comes out is JSON and not yet checked to be content. An escape of half a pair of UTF-16 stands.

    Raises:
        InvalidJsonError: It is not strict JSON, or not UTF-8.
    """
    if isinstance(text, bytes):
        try:
            text = text.decode()
        except UnicodeDecodeError as error:
            raise InvalidJsonError(f"not UTF-8: {error}") from error
    value = loads(text, halves=True)
    return _with_undefined(value) if UNDEFINED_MARK in text or "\\uf" in text.lower() else value


def _with_undefined(value: Any) -> Any:
    if value == UNDEFINED_MARK:
        return UNDEFINED
    if isinstance(value, dict):
        return {key: _with_undefined(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_undefined(item) for item in value]
    return value


def check_changes(changes: object, latest: str) -> Checked:
    """Check what is to be merged: changes, or whole content.

    Args:
        changes: It, as :func:`from_json` or TinyBase's methods give it.
        latest: The last stamp of the clock that is believed, as ``latest_allowed`` gives it.

    Raises:
        RemoteProtocolError: It is malformed, or has a stamp beyond ``latest``.
    """
    if not isinstance(changes, (list, tuple)) or not (
        len(changes) == 2 or (len(changes) == 3 and changes[2] == 1 and changes[2] is not True)
    ):
        raise RemoteProtocolError("mergeable changes are a list of tables, values and 1")
    return Checked(check_tables(changes[0], latest), check_values(changes[1], latest))


def check_content(content: object, latest: str) -> Checked:
    """Check whole content: as :func:`check_changes`, and every stamp of it has to have a hash.

    Raises:
        RemoteProtocolError: It is malformed, or has a stamp beyond ``latest``.
    """
    if not isinstance(content, (list, tuple)) or len(content) != 2:
        raise RemoteProtocolError("mergeable content is a list of tables and values")
    return Checked(check_tables(content[0], latest, 3), check_values(content[1], latest, 3))


def check_tables(stamp: object, latest: str, least: int = 1) -> CheckedStamp:
    """Check the stamp of all tables: as :func:`check_changes`."""
    tables, hlc = _open(stamp, latest, least, "tables")
    checked: dict[str, CheckedStamp] = {}
    for table_id, table in tables.items():
        rows, table_hlc = _open(table, latest, least, "a table")
        checked[table_id] = CheckedStamp(
            {row_id: check_values(row, latest, least, "a row") for row_id, row in rows.items()}, table_hlc
        )
    return CheckedStamp(checked, hlc)


def check_values(stamp: object, latest: str, least: int = 1, what: str = "values") -> CheckedStamp:
    """Check the stamp of all values, or of the cells of a row: as :func:`check_changes`."""
    things, hlc = _open(stamp, latest, least, what)
    checked: dict[str, Stamp] = {}
    for thing_id, thing in things.items():
        if type(thing) is not list and type(thing) is not tuple:
            raise RemoteProtocolError(f"the stamp at {thing_id!r:.100} is no list")
        size = len(thing)
        thing_hlc = thing[1] if size > 1 else ""
        if not least <= size <= 3 or (thing_hlc and not is_hlc(thing_hlc, latest)) or thing_hlc is None:
            raise _wrong_stamp(thing, latest, thing_id)
        if size == 3 and not _is_hash(thing[2]):
            raise _wrong_stamp(thing, latest, thing_id)
        stored = thing[0]
        if stored is not UNDEFINED and not _is_stored(stored):
            stored = _received(stored, thing_id)
        checked[thing_id] = (stored, thing_hlc)
    return CheckedStamp(checked, hlc)


def _open(stamp: object, latest: str, least: int, what: str) -> tuple[dict[str, Any], str]:
    """Give what a stamp of many holds, and its own stamp of the clock."""
    if not isinstance(stamp, (list, tuple)) or not least <= len(stamp) <= 3 or not isinstance(stamp[0], dict):
        raise RemoteProtocolError(f"the stamp of {what} is no list of an object, a stamp and a hash")
    hlc = stamp[1] if len(stamp) > 1 else ""
    if not is_hlc(hlc, latest) or (len(stamp) == 3 and not _is_hash(stamp[2])):
        raise _wrong_stamp(stamp, latest, what)
    return stamp[0], hlc


def _is_stored(value: object) -> bool:
    """Whether a cell is in its stored form without a closer look, as most are."""
    kind = type(value)
    if kind is str:
        return str.isascii(value)  # type: ignore[arg-type] # others may be an object's, reserved, or no text
    if kind is int:
        return -MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER  # type: ignore[operator]
    return value is None or kind is bool or kind is EncodedCell


def _is_hash(value: object) -> bool:
    return type(value) is int or (type(value) is float and isfinite(value))


def _wrong_stamp(stamp: Any, latest: str, where: str) -> RemoteProtocolError:
    hlc = stamp[1] if len(stamp) > 1 else ""
    if is_hlc(hlc) and not is_hlc(hlc, latest):
        return RemoteProtocolError(
            f"the stamp at {where!r:.100} is more than five minutes ahead of the clock here: {hlc!r}"
        )
    return RemoteProtocolError(f"the stamp at {where!r:.100} is malformed: {stamp[1:]!r:.100}")


def _received(value: object, where: str) -> Stored:
    try:
        return decode_received(value)
    except (TypeError, ValueError) as error:
        if isinstance(value, str) and value[:1] != JSON_PREFIX and value != UNDEFINED_MARK:
            return value  # it has half a pair of UTF-16, which stays JavaScript's
        raise RemoteProtocolError(f"no cell can hold what stands at {where!r:.100}: {error}") from error
