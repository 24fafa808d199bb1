from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import cbor2
import pytest
from hypothesis import given, strategies as st

from support.automerge_chunks import cbor_flood
from weft.errors import RemoteProtocolError
from weft.protocols.automerge_repo import cbor
from weft.protocols.automerge_repo.cbor import MAX_ITEMS, decode, encode

if TYPE_CHECKING:
    from types import FrameType

_scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
)
_items = st.recursive(
    _scalars, lambda items: st.lists(items, max_size=5) | st.dictionaries(st.text(), items, max_size=5)
)


@given(_items)
def test_what_is_encoded_is_decoded(item: object) -> None:
    assert decode(encode(item)) == item


def test_what_javascript_writes_is_read() -> None:
    """cbor-x writes lengths of maps in two bytes, and has a value that JSON has not."""
    assert decode(bytes.fromhex("b900026161016162f7")) == {"a": 1, "b": None}
    assert decode(bytes.fromhex("fb3ff8000000000000")) == 1.5


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("", "too early"),
        ("a16161", "too early"),
        ("1a0000", "too early"),
        ("0000", "bytes follow"),
        ("a2616101616102", "twice"),
        ("a261610178016102", "twice"),
        ("a10102", "no text"),
        ("c100", "tag"),
        ("9fff", "indefinite"),
        ("5f4101ff", "indefinite"),
        ("1c", "reserved"),
        ("f8ff", "simple value"),
        ("e0", "simple value"),
        ("9affffffff", "larger than the message"),
        ("5affffffff00", "longer than the message"),
        ("61ff", "cannot be read"),
        ("81" * 40 + "00", "too deeply"),
    ],
)
def test_what_javascript_never_writes_is_refused(data: str, reason: str) -> None:
    with pytest.raises(RemoteProtocolError, match=reason):
        decode(bytes.fromhex(data))


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused_with_the_one_error(data: bytes) -> None:
    try:
        item = decode(data)
    except RemoteProtocolError:
        return
    assert decode(encode(item)) == item or item != item  # noqa: PLR0124 - NaN


def test_what_cbor_has_no_form_for_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="CBOR"):
        encode(object())
    assert cbor2.loads(encode({"a": b"\1"})) == {"a": b"\1"}


# -- the work that hostile bytes make


def _lines(data: bytes) -> int:
    """How many lines of Python decoding some data takes."""
    count = 0

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal count
        if frame.f_code.co_filename != cbor.__file__:
            return None
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        decode(data)
    except RemoteProtocolError:
        pass
    finally:
        sys.settrace(before)
    return count


_PER_ITEM = 40  # lines: what an item takes at most


def test_the_message_that_stopped_a_server_is_refused_by_its_head() -> None:
    message = cbor_flood("join", 0xF29DA0)
    with pytest.raises(RemoteProtocolError, match="too many items"):
        decode(message)
    assert _lines(message) < 5 * _PER_ITEM


@pytest.mark.parametrize(
    "unit", ["f6", "80", "a0", "60", "40", "8100", "81818100", "a1616100", "fb3ff8000000000000"]
)
def test_no_message_takes_more_than_its_budget(unit: str) -> None:
    """However large it is and however its items are put into each other."""
    one = bytes.fromhex(unit)
    for count in (1_000, 9_000, 1_000_000):
        flat = b"\x9a" + count.to_bytes(4) + one * count
        nested = b"\x9a" + (count // 100).to_bytes(4) + (b"\x98\x64" + one * 100) * (count // 100)
        for message in (flat, nested):
            assert _lines(message) <= _PER_ITEM * MAX_ITEMS


@given(st.binary(max_size=300))
def test_work_is_linear(data: bytes) -> None:
    assert _lines(data) <= _PER_ITEM * (len(data) + 1)


def test_the_budget_counts_every_item_and_key() -> None:
    assert decode(encode([1, [2, 3], {"a": 4}]), max_items=8) == [1, [2, 3], {"a": 4}]
    with pytest.raises(RemoteProtocolError, match="too many items"):
        decode(encode([1, [2, 3], {"a": 4}]), max_items=7)
    decode(encode(list(range(MAX_ITEMS - 1))))
    with pytest.raises(RemoteProtocolError, match="too many items"):
        decode(encode(list(range(MAX_ITEMS))))
