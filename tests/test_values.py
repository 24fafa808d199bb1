"""What can be a cell, in which form, and when two are the same."""

from __future__ import annotations

import copy
import pickle
from collections import OrderedDict, UserDict
from datetime import date
from decimal import Decimal
from enum import IntEnum, StrEnum
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, strategies as st

from weft.jsoncodec import MAX_DEPTH
from weft.values import (
    UNDEFINED,
    EncodedCell,
    Undefined,
    decode_cell,
    decode_received,
    encode_cell,
    is_same,
    json_equal,
)

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
NUMBERS = st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


class Text(str):
    __slots__ = ()

    def __str__(self) -> str:
        return "not this"


class Whole(int):
    pass


class Real(float):
    pass


class Colour(StrEnum):
    RED = "red"


class Size(IntEnum):
    BIG = 3


def nested(depth: int) -> Any:
    value: Any = []
    for _ in range(depth - 1):
        value = [value]
    return value


def test_undefined_is_one_falsy_thing_that_survives_copying_and_pickling() -> None:
    assert repr(UNDEFINED) == str(UNDEFINED) == "UNDEFINED"
    assert not UNDEFINED
    assert copy.copy(UNDEFINED) is UNDEFINED
    assert copy.deepcopy({"a": [UNDEFINED]})["a"][0] is UNDEFINED
    assert pickle.loads(pickle.dumps(UNDEFINED)) is UNDEFINED
    assert isinstance(UNDEFINED, Undefined)
    assert UNDEFINED is not None


@pytest.mark.parametrize(
    "cell", ["", "a", "\ufffcb", "a\ufffd", "\x00", "𝄞", True, False, None, 0, 1.5, -(2**53) + 1]
)
def test_a_plain_cell_is_its_own_stored_form(cell: object) -> None:
    stored = encode_cell(cell)
    assert stored is cell or (stored == cell and type(stored) is type(cell))


@pytest.mark.parametrize(
    ("number", "stored"),
    [
        (1.0, 1),
        (-0.0, 0),
        (2.0**52, 2**52),
        (float(2**53 - 1), 2**53 - 1),
        (1e308, 1e308),
        (2.0**53, 2.0**53),
    ],
)
def test_a_float_that_is_a_safe_integer_becomes_one(number: float, stored: float) -> None:
    assert encode_cell(number) == stored
    assert type(encode_cell(number)) is type(stored)


@pytest.mark.parametrize(
    ("given_cell", "stored"),
    [(Text("a"), "a"), (Whole(3), 3), (Real(1.5), 1.5), (Real(2), 2), (Colour.RED, "red"), (Size.BIG, 3)],
)
def test_subclasses_are_reduced_to_the_base_type(given_cell: object, stored: object) -> None:
    assert encode_cell(given_cell) == stored
    assert type(encode_cell(given_cell)) is type(stored)


@pytest.mark.parametrize(
    "cell",
    [
        float("nan"),
        float("inf"),
        -float("inf"),
        2**53,
        -(2**53),
        "\ufffc",
        "\ufffd",
        "x\ud800",
        "a\udfffb",
        EncodedCell("\ufffd[2]"),
        [float("nan")],
        {"a": [2**53]},
        ["\ud800"],
        {"\ud800": 1},
        nested(MAX_DEPTH + 1),
    ],
)
def test_a_value_of_the_right_type_that_cannot_be_a_cell_is_a_value_error(cell: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        encode_cell(cell)


@pytest.mark.parametrize(
    "cell",
    [b"x", object(), {1, 2}, date(2020, 1, 1), Decimal(1), Fraction(1, 2), 1j, UNDEFINED, int, [b"x"], {1: 2},
     {"a": {None: 1}}, UserDict({"a": 1}), range(3)],
)  # fmt: skip
def test_a_type_that_no_cell_has_is_a_type_error(cell: object) -> None:
    with pytest.raises(TypeError):
        encode_cell(cell)


def test_a_structure_that_contains_itself_is_refused() -> None:
    loop: list[object] = []
    loop.append(loop)
    with pytest.raises(ValueError, match="nested"):
        encode_cell(loop)


def test_lists_and_objects_become_their_json_text_behind_a_mark() -> None:
    stored = encode_cell({"b": (1.0, None), "10": "é", "2": {"x": True}})
    assert type(stored) is EncodedCell
    assert stored == '\ufffd{"2":{"x":true},"10":"é","b":[1,null]}'
    assert repr(stored).startswith("EncodedCell(")
    assert encode_cell(OrderedDict(a=1)) == '\ufffd{"a":1}'
    assert len(str(encode_cell(nested(MAX_DEPTH)))) == 2 * MAX_DEPTH + 1


@given(JSON)
def test_decoding_gives_a_fresh_equal_value_each_time(value: Any) -> None:
    stored = encode_cell([value])
    assert isinstance(stored, EncodedCell)
    first, second = stored.decode(), stored.decode()
    assert json_equal(first, [value])
    assert first is not second
    assert encode_cell(first) == stored


@given(JSON)
def test_a_stored_form_is_accepted_from_peers_as_it_is(value: Any) -> None:
    try:
        stored = encode_cell(value)
    except ValueError:
        return  # a string that is reserved
    received = decode_received(str(stored) if isinstance(stored, EncodedCell) else stored)
    assert is_same(received, stored)
    assert type(received) is type(stored)


@pytest.mark.parametrize(
    "text", ["", "x", "5", '"a"', "null", "[", "[1]x", "[NaN]", "[1e999]", "[-Infinity]", "\ud800[]"]
)
def test_what_follows_the_mark_must_be_the_json_of_a_list_or_object(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode_received("\ufffd" + text)


def test_received_objects_are_read_as_javascript_reads_them() -> None:
    assert decode_received("\ufffd[1.0]").decode() == [1]  # type: ignore[union-attr,unused-ignore]
    cell = decode_received('\ufffd {"a":1,"a":2,"b":12345678901234567890,"c":1e2}')
    assert isinstance(cell, EncodedCell)
    assert cell.decode() == {"a": 2, "b": 1.2345678901234567e19, "c": 100}
    assert type(cell.decode()["b"]) is float  # type: ignore[call-overload]


def test_received_objects_are_bounded_in_depth() -> None:
    deep = "\ufffd" + "[" * MAX_DEPTH + "]" * MAX_DEPTH
    assert decode_received(deep) == deep
    for depth in (MAX_DEPTH + 1, 100_000):
        with pytest.raises(ValueError, match="nested"):
            decode_received("\ufffd" + "[" * depth + "]" * depth)
    wide = "\ufffd[" + ",".join(["[]"] * 1000) + "]"
    assert decode_received(wide) == wide


@pytest.mark.parametrize("cell", [b"x", float("nan"), 2**60, "\ufffc", "\ud800", object()])
def test_peers_may_send_nothing_else_that_callers_may_not(cell: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        decode_received(cell)


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        (1, 1, True),
        (1, True, False),
        (0, False, False),
        (None, None, True),
        (None, 0, False),
        ("1", 1, False),
        (EncodedCell('\ufffd{"a":1,"b":2}'), EncodedCell('\ufffd{"b":2,"a":1}'), True),
        (EncodedCell("\ufffd[1]"), EncodedCell("\ufffd[1.0]"), True),
        (EncodedCell("\ufffd[1]"), EncodedCell("\ufffd[true]"), False),
        (EncodedCell("\ufffd[1]"), "\ufffd[1]", False),
        (UNDEFINED, UNDEFINED, True),
        (UNDEFINED, None, False),
    ],
)
def test_sameness_is_json_equality(a: object, b: object, same: bool) -> None:
    assert is_same(a, b) is same
    assert is_same(b, a) is same


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ([1], [1.0], True),
        ([1], (1,), True),
        ([1], [True], False),
        ([1, 2], [1], False),
        ([1], {"0": 1}, False),
        ({"a": [1]}, {"a": [1]}, True),
        ({"a": 1}, {"a": 1, "b": 2}, False),
        ({"a": 1}, {"b": 1}, False),
        ("a", "a", True),
    ],
)
def test_decoded_json_is_compared_at_all_depths(a: object, b: object, same: bool) -> None:
    assert json_equal(a, b) is same
    assert json_equal(b, a) is same


def test_a_stored_form_is_given_as_a_cell_of_the_callers_own() -> None:
    stored = encode_cell({"a": [1]})
    cell = decode_cell(stored)
    assert cell == {"a": [1]}
    assert decode_cell(stored) is not cell
    assert [decode_cell(each) for each in ("x", 1, None, UNDEFINED)] == ["x", 1, None, UNDEFINED]
