from __future__ import annotations

import cbor2
import pytest
from hypothesis import given, strategies as st

from weft.errors import RemoteProtocolError
from weft.protocols.automerge_repo.cbor import decode, encode

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
