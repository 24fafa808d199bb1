"""The JSON text in which whole content is kept: TinyBase's, byte for byte.

TinyBase 10.0.1, ``jsonStringWithUndefined``: compact ``[tables,values]``, non-ASCII characters as they are,
lists and objects as strings that begin with U+FFFD, and the string U+FFFC for what is undefined. A Store that
merges is kept as its mergeable content: see :mod:`weft.documents.mergeable`.
"""

from __future__ import annotations

import codecs
import json
import re
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, NoReturn

from weft.documents.mergeable import from_json
from weft.errors import InvalidJsonError, StorageError
from weft.jsoncodec import depth_bounded, dumps, in_js_order, parse, tables_text
from weft.values import UNDEFINED_MARK

if TYPE_CHECKING:
    from weft.documents.mergeable import MergeableDocument
    from weft.store import Store

__all__ = [
    "parse_content",
    "parse_either",
    "render_content",
    "render_document",
    "render_store",
    "stored_text",
    "version_of",
]

RawTables = dict[str, dict[str, dict[str, object]]]

# Where an integer may be too long for a JavaScript number, each has to be looked at; without, reading takes
# half the time. Floats need no look: the Store brings them into their one form. That nowhere 16 digits are in
# a row is found out in a tenth of the time that the expression takes.
_LONG_INTEGER = re.compile(r"[\[:,]\s*-?\d{16}")
_ZEROS = bytes.maketrans(b"123456789", b"000000000")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_begins_mergeable = re.compile(rb"(?:\xef\xbb\xbf)?\s*\[\s*\[").match
_parse_short = depth_bounded(json.JSONDecoder(parse_constant=_refuse_constant).decode)


def render_store(store: Store) -> bytes:
    """Write the content of a Store."""
    return store.get_json().encode()


def render_document(document: MergeableDocument) -> bytes:
    """Write the content of a document that merges."""
    return document.content_text().encode("utf-8", "backslashreplace")


def render_content(content: tuple[RawTables, dict[str, object]]) -> bytes:
    """Write content that was read and merged.

    A foreign file may hold lone surrogates, which are JSON escapes and no UTF-8; they stay escapes.
    """
    tables, values = content
    try:
        text = f"[{tables_text(tables)},{dumps(values)}]"
    except (AttributeError, TypeError, ValueError):
        # Not content that a Store could hold; what is no cell must survive all the same.
        text = json.dumps([_ordered(tables), _ordered(values)], ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "backslashreplace")


def _ordered(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _ordered(item) for key, item in in_js_order(value).items()}
    return value


def parse_content(data: bytes) -> tuple[RawTables, dict[str, object]]:
    """Read content as JavaScript would; what is no cell is for the Store to refuse, cell by cell.

    A byte order mark, which editors on Windows put in front of UTF-8, is passed over.

    Raises:
        StorageError: The bytes are not JSON text, or not content.
    """
    try:
        text = data.removeprefix(codecs.BOM_UTF8).decode()
        long = b"0" * 16 in data.translate(_ZEROS) and _LONG_INTEGER.search(text)
        content: Any = parse(text) if long else _parse_short(text)
    except (ValueError, RecursionError) as error:
        raise StorageError(f"what is stored is not JSON text: {error}") from error
    if UNDEFINED_MARK in text or "\\ufffc" in text.lower():
        content = _without_undefined(content)
    if (
        not isinstance(content, list)
        or len(content) != 2
        or not all(isinstance(part, dict) for part in content)
    ):
        kind = (
            "the content of a mergeable Store: load it into a weft.mergeable.MergeableStore, or use "
            "weft.open(…, mergeable=True)"
            if isinstance(content, list) and len(content) == 2 and all(isinstance(p, list) for p in content)
            else "JSON, but not [tables,values]"
        )
        raise StorageError(f"what is stored is {kind}")
    return content[0], content[1]


def parse_either(data: bytes) -> Any:
    """Read the content of a Store that merges, or of a plain one: as it is in the text.

    Raises:
        StorageError: The bytes are not JSON text, or not content.
    """
    if not _begins_mergeable(data):
        return parse_content(data)
    try:
        return from_json(data.removeprefix(codecs.BOM_UTF8))
    except InvalidJsonError as error:
        raise StorageError(f"what is stored is not JSON text: {error}") from error


def _without_undefined(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_undefined(item) for key, item in value.items() if item != UNDEFINED_MARK}
    if isinstance(value, list):
        return [_without_undefined(item) for item in value if item != UNDEFINED_MARK]
    return value


def stored_text(value: object, where: str) -> bytes:
    """Take what a place gives back, text or its bytes, as bytes.

    Raises:
        StorageError: It is neither; ``where`` it was found is said.
    """
    data = value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
    if not isinstance(data, bytes):
        raise StorageError(f"{where} holds a {type(value).__name__}, not text")
    return data


def version_of(data: bytes | None) -> bytes | None:
    """Tell one text from another."""
    return None if data is None else blake2b(data, digest_size=16).digest()
