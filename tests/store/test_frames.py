"""Tables as data frames, and back again."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings, strategies as st

from weft import Store

NESTED = {"a": 1}
ROWS: dict[str, Any] = {
    "x": {
        "text": "é", "truth": True, "int": 1, "float": 1.5, "list": [1], "floats": [1.5, 2], "null": None,
        "mixed": "1", "object": NESTED, "lists": [[1]], "no": [],
    },
    "y": {"text": "", "int": 2**53 - 1, "float": 2, "list": [2, None], "mixed": 1, "truth": None},
    "z": {"mixed": True, "float": None},
}  # fmt: skip


@pytest.fixture
def store() -> Store:
    return Store().set_table("t", ROWS)


def test_pandas(store: Store) -> None:
    frame: Any = store.table("t").to_pandas()
    assert frame.index.name == "id"
    assert list(frame.index) == ["x", "y", "z"]
    assert list(frame) == list(ROWS["x"])
    kinds = {name: str(dtype) for name, dtype in frame.dtypes.items()}
    objects = dict.fromkeys(["list", "floats", "null", "mixed", "object", "lists", "no"], "object")
    assert kinds == {"text": "string", "truth": "boolean", "int": "Int64", "float": "Float64", **objects}
    assert frame.loc["y", "int"] == 2**53 - 1
    assert frame.loc["z", "int"] is pd.NA
    assert frame.loc["x", "object"] == NESTED
    assert list(frame["mixed"]) == ["1", 1, True]
    assert frame.loc["z", "list"] is None


def test_polars(store: Store) -> None:
    frame = store.table("t").to_polars()
    assert frame.schema == {
        "id": pl.String, "text": pl.String, "truth": pl.Boolean, "int": pl.Int64, "float": pl.Float64,
        "list": pl.List(pl.Int64), "floats": pl.List(pl.Float64), "null": pl.Null, "mixed": pl.String,
        "object": pl.String, "lists": pl.String, "no": pl.List(pl.Null),
    }  # fmt: skip
    assert frame.row(1, named=True) == {
        "id": "y", "text": "", "truth": None, "int": 2**53 - 1, "float": 2.0, "list": [2, None],
        "floats": None, "null": None, "mixed": "1", "object": None, "lists": None, "no": None,
    }  # fmt: skip
    assert frame["mixed"].to_list() == ['"1"', "1", "true"]
    assert frame["object"].to_list() == ['{"a":1}', None, None]


def test_arrow(store: Store) -> None:
    table = store.table("t").to_arrow()
    assert {field.name: str(field.type) for field in table.schema} == {
        "id": "string", "text": "string", "truth": "bool", "int": "int64", "float": "double",
        "list": "list<item: int64>", "floats": "list<item: double>", "null": "null", "mixed": "string",
        "object": "string", "lists": "string", "no": "list<item: null>",
    }  # fmt: skip
    assert table.to_pylist()[0]["lists"] == "[[1]]"
    assert table["int"].to_pylist() == [1, 2**53 - 1, None]


@pytest.mark.parametrize("method", ["to_pandas", "to_polars", "to_arrow"])
def test_the_column_of_ids_has_the_name_asked_for(store: Store, method: str) -> None:
    to_frame = getattr(store.table("t"), method)
    named, without = to_frame(id="name"), to_frame(id=None)
    names: Any = {"to_arrow": lambda frame: frame.column_names}.get(method, list)
    if method == "to_polars":
        names = lambda frame: frame.columns  # noqa: E731
    taken = [] if method == "to_pandas" else ["name"]
    assert names(named) == [*taken, *ROWS["x"]]
    assert names(without) == list(ROWS["x"])
    with pytest.raises(ValueError, match="the table has cells 'text', which the row's id would take"):
        to_frame(id="text")


@pytest.mark.parametrize("method", ["to_pandas", "to_polars", "to_arrow"])
def test_a_table_that_is_not_there_is_empty(method: str) -> None:
    frame = getattr(Store().table("t"), method)()
    assert len(frame) == 0
    assert Store().table("t").load(frame, id="id")[:3] == (0, 0, 0)


@pytest.mark.parametrize(
    ("method", "package"), [("to_pandas", "pandas"), ("to_polars", "polars"), ("to_arrow", "pyarrow")]
)
def test_a_missing_package_is_named(method: str, package: str) -> None:
    program = f"""
import sys
from weft import Store
sys.modules[{package!r}] = None
try:
    Store().table("t").{method}()
except ImportError as error:
    print(error, error.name)
assert "numpy" not in sys.modules
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=30
    )
    assert done.stderr == ""
    assert done.stdout == f"{method}() needs the package {package!r}: pip install {package} {package}\n"


TEXT = st.text(st.characters(codec="utf-8"), max_size=5).filter(
    lambda text: text[:1] not in {"\ufffd", "\ufffc"}
)
NUMBERS = st.one_of(
    st.integers(-(2**53) + 1, 2**53 - 1), st.floats(allow_nan=False, allow_infinity=False, width=32)
)
COLUMN = st.sampled_from([TEXT, st.booleans(), st.integers(-(2**53) + 1, 2**53 - 1), NUMBERS, st.lists(TEXT)])


@st.composite
def tables(draw: st.DrawFn) -> dict[str, dict[str, Any]]:
    """Tables of columns of one kind each; no cell is ``None``, which frames take for absent."""
    columns = draw(
        st.dictionaries(TEXT.filter(lambda name: name != "row id"), COLUMN, min_size=1, max_size=4)
    )
    row = st.fixed_dictionaries({}, optional=columns).filter(bool)
    return draw(st.dictionaries(TEXT, row, max_size=5))


@settings(deadline=None)
@given(tables())
def test_what_goes_out_comes_back(table: dict[str, dict[str, Any]]) -> None:
    store = Store()
    if table:
        store.set_table("t", table)
    view = store.table("t")
    frames: list[Any] = [view.to_pandas(id="row id"), view.to_polars(id="row id"), view.to_arrow(id="row id")]
    for frame in frames:
        other = Store()
        summary = other.table("t").load(frame, id="row id", convert=True)
        assert other.same_content(store), type(frame)
        assert list(other.get_table("t")) == list(store.get_table("t"))
        assert summary.added == len(table)
        assert view.load(frame, id="row id", convert=True)[:3] == (0, 0, len(table))
