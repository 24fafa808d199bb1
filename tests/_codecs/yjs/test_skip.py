"""Walking over the pieces of an update: where each ends, and what is refused on the way."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, strategies as st
from pycrdt import Doc, Map

from weft._codecs.yjs.lib0 import MAX_UINT, Writer
from weft._codecs.yjs.skip import (
    check_json_depth,
    skip_string,
    skip_values,
    uint,
    uint_bytes,
    utf16_length,
)
from weft.errors import RemoteProtocolError
from weft.limits import DEFAULT_LIMITS, Limits

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=10,
)


@given(st.integers(0, MAX_UINT))
def test_integers_end_where_they_end(value: int) -> None:
    data = Writer().uint(value).finish()
    assert uint_bytes(value) == data
    assert uint(b"x" + data + b"y", 1) == (value, 1 + len(data))
    with pytest.raises(IndexError):
        uint(data, len(data))


def test_integers_that_javascript_cannot_tell_apart_are_refused() -> None:
    for data in (uint_bytes(MAX_UINT + 1), b"\xff" * 9 + b"\x01"):
        with pytest.raises(RemoteProtocolError, match="out of range"):
            uint(data, 0)


@given(st.text())
def test_texts_are_as_long_as_in_javascript(text: str) -> None:
    data = text.encode()
    assert utf16_length(b"x" + data + b"y", 1, len(data)) == len(text.encode("utf-16-le")) // 2
    whole = Writer().string(text).finish()
    assert skip_string(whole + b"x", 0, len(data)) == len(whole)
    if text:
        with pytest.raises(RemoteProtocolError, match="string of"):
            skip_string(whole, 0, len(data) - 1)


def test_a_text_that_is_not_utf8_is_refused() -> None:
    with pytest.raises(RemoteProtocolError, match="UTF-8"):
        utf16_length(b"\xff\xff", 0, 2)


@given(JSON)
def test_a_value_as_the_binding_writes_it_is_skipped_whole(value: Any) -> None:
    doc: Doc[Any] = Doc(client_id=1)
    doc.get("m", type=Map)["k"] = value
    update = doc.get_update()
    # One section of one struct at clock 0: its flags, parent and key, how many values, and the value.
    at = update.index(b"\x01m\x01k\x01") + 5
    assert skip_values(update, at, 1, DEFAULT_LIMITS) == len(update) - 1  # the empty delete set is behind it


@given(JSON)
def test_json_is_as_deep_as_it_is(value: Any) -> None:
    def depth(of: Any) -> int:
        if not isinstance(of, list | dict):
            return 0
        return 1 + max(map(depth, of.values() if isinstance(of, dict) else of), default=0)

    text = json.dumps([value, '[{"\\']).encode()
    check_json_depth(text, 1 + depth(value), 0)
    if depth(value):
        with pytest.raises(RemoteProtocolError, match="nested"):
            check_json_depth(text, depth(value), 0)


@pytest.mark.parametrize("data", [b"\x75\xff\xff\xff\x0f", b"\x76\x03\x01a", b"\x00", b"\x7d" + b"\xff" * 9])
def test_values_that_are_none_are_refused(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        skip_values(data, 0, 1, DEFAULT_LIMITS)


def test_values_are_bounded_in_number_and_depth() -> None:
    with pytest.raises(RemoteProtocolError, match="announced"):
        skip_values(b"\x7e\x7e", 0, 3, DEFAULT_LIMITS)
    nested = b"\x75\x01" * 3 + b"\x7e"
    assert skip_values(nested, 0, 1, Limits(max_depth=3)) == len(nested)
    with pytest.raises(RemoteProtocolError, match="nested more than 2"):
        skip_values(nested, 0, 1, Limits(max_depth=2))
