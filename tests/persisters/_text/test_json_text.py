from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, strategies as st

from weft.errors import StorageError
from weft.persisters._text.json_text import parse_content, render_content, render_store
from weft.store import Store
from weft.testing.persisters import RICH

IDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=3)
CELLS = st.one_of(
    st.booleans(),
    st.none(),
    st.integers(-(2**53) + 1, 2**53 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\ufffc\ufffd"), max_size=5),
    st.lists(st.integers(0, 9), max_size=2),
)


def some(parts: st.SearchStrategy[Any], min_size: int = 0) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(IDS, parts, min_size=min_size, max_size=2)


@given(
    some(some(some(CELLS, min_size=1), min_size=1)),
    some(CELLS),
)
def test_what_a_store_writes_is_what_it_reads(tables: Any, values: Any) -> None:
    store = Store().set_content((tables, values))
    read = parse_content(render_store(store))
    assert read == (store._tables, store._values)
    assert render_content(read) == render_store(store)


def test_lists_and_objects_and_what_is_undefined_have_tinybases_form() -> None:
    assert render_store(Store().set_value("o", {"é": [1]})) == '[{},{"o":"\ufffd{\\"é\\":[1]}"}]'.encode()
    text = '[{"t":{"r":{"gone":"\ufffc","there":["\\ufffc",1]}}},{}]'
    assert parse_content(text.encode()) == ({"t": {"r": {"there": [1]}}}, {})


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\xff", "not JSON text"),
        (b"[{", "not JSON text"),
        (b"[{},{}] and more", "not JSON text"),
        (b'[{},{"v":NaN}]', "NaN is not JSON"),
        (b"[" * 100_000, "not JSON text"),
        (b"{}", r"not \[tables,values\]"),
        (b"[{}]", r"not \[tables,values\]"),
        (b"[{},[]]", r"not \[tables,values\]"),
        (b'[[{},"",0],[{},"",0]]', "mergeable"),
    ],
)
def test_what_is_no_content_is_an_error_that_says_so(data: bytes, reason: str) -> None:
    with pytest.raises(StorageError, match=reason):
        parse_content(data)


def test_long_integers_become_the_numbers_that_javascript_reads() -> None:
    _, values = parse_content(b'[{},{"long":12345678901234567890,"safe":9007199254740991}]')
    assert values == {"long": 12345678901234567000.0, "safe": 9007199254740991}
    assert type(values["long"]) is float


def test_what_is_no_cell_survives_a_merge_of_what_is() -> None:
    foreign: Any = ({"t": {"r": {"lone": "\ud800", "deep": {"a": 1}}, "no row": 5}}, {"v": [1]})
    text = render_content(foreign)
    assert json.loads(text) == [*foreign]


def test_the_order_is_javascripts() -> None:
    assert render_store(Store().set_content(RICH)).startswith(b'[{"pets":{"9":')
    assert render_content(({}, {"b": 1, "10": 2, "9": 3})) == b'[{},{"9":3,"10":2,"b":1}]'
