"""JSON as JavaScript writes it; where the expected text came from, JavaScript wrote it."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given, strategies as st

from weft.errors import InvalidJsonError
from weft.jsoncodec import (
    MAX_DEPTH,
    dumps,
    in_js_order,
    is_deep,
    loads,
    normal_number,
    number_text,
    tables_text,
)

# String(number) in Node 20.
NUMBERS = [
    (0.0, "0"), (-0.0, "0"), (1.0, "1"), (-1.5, "-1.5"), (100.0, "100"), (0.1, "0.1"), (0.000123, "0.000123"),
    (1e-5, "0.00001"), (1.5e-6, "0.0000015"), (1e-6, "0.000001"), (1e-7, "1e-7"), (-1.25e-7, "-1.25e-7"),
    (123456.789, "123456.789"), (1e16, "10000000000000000"), (2.0**53, "9007199254740992"),
    (1e20, "100000000000000000000"), (123456789012345680000.0, "123456789012345680000"), (1e21, "1e+21"),
    (1.2e21, "1.2e+21"), (1e22, "1e+22"), (5e-324, "5e-324"),
    (1.7976931348623157e308, "1.7976931348623157e+308"),
    (0.30000000000000004, "0.30000000000000004"),
    (4.35, "4.35"), (1 / 3, "0.3333333333333333"),
    (9007199254740993.0, "9007199254740992"),
    (-1e21, "-1e+21"), (999999999999999900000.0, "999999999999999900000"),
]  # fmt: skip


@pytest.mark.parametrize(("number", "text"), NUMBERS)
def test_numbers_have_the_text_of_javascript(number: float, text: str) -> None:
    assert number_text(number) == text
    assert dumps([number]) == f"[{text}]"


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_number_text_reads_back_as_the_same_double(number: float) -> None:
    text = number_text(number)
    assert float(text) == number
    assert "e" not in text or not 1e-6 <= abs(number) < 1e21
    assert not text.endswith(".0")


def test_integers_keep_their_digits() -> None:
    assert number_text(-(2**53) + 1) == "-9007199254740991"


@pytest.mark.parametrize(
    ("number", "normal"),
    [(1.0, 1), (-0.0, 0), (1.5, 1.5), (2.0**53, 2.0**53), (-(2.0**53) + 1, -(2**53) + 1)],
)
def test_a_number_has_one_form(number: float, normal: float) -> None:
    assert normal_number(number) == normal
    assert type(normal_number(number)) is type(normal)


def test_text_is_compact_and_not_escaped_beyond_need() -> None:
    value = {"a": [None, True, False, "é𝄞\u2028/\x7f", '"\\\n\x1f']}
    assert dumps(value) == '{"a":[null,true,false,"é𝄞\u2028/\x7f","\\"\\\\\\n\\u001f"]}'


@pytest.mark.parametrize(
    ("keys", "ordered"),
    [
        (["b", "a"], ["b", "a"]),
        (["b", "10", "9", "a", "0"], ["0", "9", "10", "b", "a"]),
        (["1", "2", "x"], ["1", "2", "x"]),
        (["x", "01", "-1", "1.0", "", "²", "٣"], ["x", "01", "-1", "1.0", "", "²", "٣"]),
        (["4294967295", "4294967294", "a"], ["4294967294", "4294967295", "a"]),
        (["x", "4294967295"], ["x", "4294967295"]),
        (["1" * 5000, "7"], ["7", "1" * 5000]),  # more digits than Python reads as one number
    ],
)
def test_keys_that_are_array_indices_come_first(keys: list[str], ordered: list[str]) -> None:
    mapping = dict.fromkeys(keys, 1)
    assert list(in_js_order(mapping)) == ordered
    assert (in_js_order(mapping) is mapping) == (keys == ordered)
    assert list(json.loads(dumps(mapping))) == ordered
    assert list(json.loads(dumps([{"deep": mapping}]))[0]["deep"]) == ordered


@pytest.mark.parametrize("value", [math.nan, [math.inf], 2**53, {"a": "\ud800"}, {"\ud800": 1}, "\udc00"])
def test_what_json_cannot_carry_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        dumps(value)


@pytest.mark.parametrize("value", [b"", {1: 2}, {None: 1}, {1}, object(), [object()]])
def test_what_json_does_not_have_is_refused(value: object) -> None:
    with pytest.raises(TypeError):
        dumps(value)


def test_writing_is_bounded_in_depth() -> None:
    value: Any = 1
    for _ in range(MAX_DEPTH):
        value = [value]
    assert dumps(value) == "[" * MAX_DEPTH + "1" + "]" * MAX_DEPTH
    with pytest.raises(ValueError, match="nested"):
        dumps([value])


@pytest.mark.parametrize(
    "text",
    ["", "{", "[1,]", "NaN", "[Infinity]", "-Infinity", '{"a":1,"a":2}', "{'a':1}", '"\ud800"', '"\\ud800"',
     '["\\udc00x"]', '{"\\ud800":1}', "[1] x", "\ufeff[]", "01", "[" * 100_000],
)  # fmt: skip
def test_what_is_not_strict_json_is_refused(text: str) -> None:
    with pytest.raises(InvalidJsonError, match="JSON"):
        loads(text)


def test_integers_beyond_the_safe_range_are_read_as_doubles() -> None:
    assert loads("[9007199254740991,9007199254740993,-123456789012345678901234567890]") == [
        9007199254740991,
        9007199254740992.0,
        -1.2345678901234568e29,
    ]
    assert [type(number) for number in loads("[1.0,9007199254740993,1.5,-0.0]")] == [int, float, float, int]


def test_strict_json_is_read() -> None:
    assert loads(' {"a":[1,2.5,null,true,"\\ud834\\udd1e"]}\n') == {"a": [1, 2.5, None, True, "𝄞"]}


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=10,
)  # fmt: skip


@given(JSON)
def test_what_was_written_reads_back(value: Any) -> None:
    assert loads(dumps(value)) == value
    assert dumps(loads(dumps(value))) == dumps(value)


CELLS = TEXT | st.sampled_from([0, 1.5, 1e21, 5e-324, True, None, 1e16, 1e-5])
TABLES = st.dictionaries(
    TEXT, st.dictionaries(TEXT, st.dictionaries(TEXT, CELLS, max_size=3), max_size=3), max_size=2
)


@given(TABLES)
def test_tables_are_written_as_any_other_json(tables: dict[str, dict[str, dict[str, Any]]]) -> None:
    assert tables_text(tables) == dumps(tables)


def _depth(value: Any) -> int:
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if parts is None else 1 + max(map(_depth, parts), default=0)


@given(
    st.recursive(
        st.text('[]{}"\\,: \n', max_size=6),
        lambda deeper: st.lists(deeper, max_size=4) | st.dictionaries(st.text('[]"\\', max_size=3), deeper),
    ),
    st.integers(0, 6),
)
def test_how_deep_text_is_is_told_without_reading_it(value: Any, most: int) -> None:
    assert is_deep(json.dumps(value), most) is (_depth(value) > most)


def test_text_that_is_no_json_is_deep_where_a_reader_would_get_deep() -> None:
    assert is_deep("[" * 20_000)
    assert is_deep('{"a":' * 20_000)
    assert not is_deep("[" * 20_000, 20_000)
    assert not is_deep(json.dumps("[" * 20_000))
