"""Reading records, data frames, arrays and tables of Arrow, and converting what they hold."""

from __future__ import annotations

import datetime as dt
import math
import sqlite3
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pydantic
import pytest

from weft import Store
from weft.errors import InvalidCellError, InvalidIdError, InvalidIdTypeError
from weft.store.records import rows_of

ID = UUID("12345678-1234-5678-1234-567812345678")


class Kind(Enum):
    DOG = "dog"


@dataclass
class Pet:
    name: str
    born: dt.date | None = None


class PetTuple(NamedTuple):
    name: str
    born: dt.date | None = None


class PetModel(pydantic.BaseModel):
    name: str
    born: dt.date | None = None


class Capsule:
    """Gives itself as Arrow data and as nothing else."""

    def __init__(self, table: Any) -> None:
        self._table = table

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._table.__arrow_c_stream__(requested_schema)


def load(source: object, row_ids: Any = None, *, convert: bool = True) -> dict[str, Any]:
    store = Store()
    store.table("t").load(source, id=row_ids, convert=convert)
    return store.get_table("t")


TWO = {"fido": {"price": 5, "sold": True}, "felix": {"price": 2.5}}
COLUMNS: dict[str, list[Any]] = {"name": ["fido", "felix"], "price": [5.0, 2.5], "sold": [True, None]}
ARROW = pa.table(COLUMNS)
STRUCTURED = np.array(
    [("fido", 5.0, True), ("felix", 2.5, False)], [("name", "U9"), ("price", "f4"), ("sold", "?")]
)


@pytest.mark.parametrize(
    "source",
    [
        COLUMNS,
        {**COLUMNS, "price": np.array([5, 2.5], "f4")},
        {**COLUMNS, "price": pd.Series([5, 2.5]), "sold": pl.Series([True, None])},
        [dict(zip(COLUMNS, row, strict=True)) for row in zip(*COLUMNS.values(), strict=True)],
        pd.DataFrame(COLUMNS),
        pd.DataFrame(COLUMNS).set_index("name"),
        pd.DataFrame(COLUMNS).convert_dtypes(),
        pd.DataFrame(COLUMNS).itertuples(index=False),
        pl.DataFrame(COLUMNS),
        pl.DataFrame(COLUMNS).iter_rows(named=True),
        ARROW,
        ARROW.to_batches()[0],
        ARROW.to_reader().read_all(),
        ARROW.to_pylist(),
        Capsule(ARROW),
    ],
)
def test_one_table_from_everywhere(source: object) -> None:
    assert load(source, "name") == TWO


def test_arrays_with_names() -> None:
    assert load(STRUCTURED, "name") == {"fido": TWO["fido"], "felix": {"price": 2.5, "sold": False}}
    assert load(STRUCTURED[:0]) == {}


@pytest.mark.parametrize("kind", [Pet, PetTuple, PetModel])
def test_objects_with_fields(kind: Any) -> None:
    pets = [kind(name="fido", born=dt.date(2024, 2, 29)), kind(name="felix")]
    with pytest.raises(InvalidCellError, match="an empty row"):
        load(pets, "name")
    assert load(pets, lambda pet: pet["name"]) == {
        "fido": {"name": "fido", "born": "2024-02-29"},
        "felix": {"name": "felix"},
    }


def test_rows_of_a_database() -> None:
    connection = sqlite3.connect(":memory:")
    connection.row_factory = sqlite3.Row
    rows = connection.execute("SELECT 'fido' AS name, 5 AS price UNION SELECT 'rex', NULL")
    assert load(rows, "name", convert=False) == {"fido": {"price": 5}, "rex": {"price": None}}
    connection.close()


NOW = dt.datetime(2024, 2, 29, 12, 30, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("given", "cell"),
    [
        (NOW, "2024-02-29T12:30:00+00:00"),
        (dt.time(1, 2), "01:02:00"),
        (pd.Timestamp("2024-02-29 12:30"), "2024-02-29T12:30:00"),
        (np.datetime64("2024-02-29", "ns"), "2024-02-29T00:00:00.000000000"),
        (ID, str(ID)),
        (Decimal("1.10"), "1.10"),
        (Kind.DOG, "dog"),
        (np.float32(0.5), 0.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (np.str_("x"), "x"),
        (np.array([1.5, math.nan]), [1.5, None]),
        (np.array([["2024-01-01", "NaT"]], "M8[D]"), [["2024-01-01", None]]),
        (
            {"when": dt.date(2024, 1, 1), 5: (Decimal(1), math.nan)},
            {"when": "2024-01-01", "5": ["1", None]},
        ),
        (Pet("rex"), {"name": "rex", "born": None}),
        ([None], [None]),
        (frozenset({1}), [1]),
    ],
)
def test_what_becomes_of_a_value(given: object, cell: object) -> None:
    (row,) = load([{"a": given}]).values()
    assert row == {"a": cell}
    assert type(row["a"]) is type(cell)


@pytest.mark.parametrize(
    "given",
    [None, math.nan, np.float32("nan"), np.float64("nan"), Decimal("NaN"), pd.NA, pd.NaT,
     np.datetime64("NaT"), np.timedelta64("NaT"), np.ma.masked],
)  # fmt: skip
def test_what_is_missing_makes_no_cell(given: object) -> None:
    (row,) = load([{"a": given, "b": 1}]).values()
    assert row == {"b": 1}


@pytest.mark.parametrize("given", [math.inf, 2**60, dt.timedelta(1), b"x", object(), "\ud800", 1j])
def test_what_can_be_no_cell_is_named_with_its_place(given: object) -> None:
    with pytest.raises(InvalidCellError, match=r"table 't', row 'x', cell 'a': .* \(record 0\)"):
        load([{"id": "x", "a": given}], "id")
    cyclic: list[object] = []
    cyclic.append(cyclic)
    with pytest.raises(InvalidCellError, match="nested"):
        load([{"a": cyclic}])


def test_times_of_columns_stay_times() -> None:
    moments = np.array(["2024-02-29T12:30", "NaT"], "M8[ns]")
    wanted = ["2024-02-29T12:30:00.000000000", "2024-02-29T12:30:00"]
    for source in ({"t": moments}, pd.DataFrame({"t": moments}), pl.DataFrame({"t": moments})):
        rows = [row for _, row in rows_of("t", source, None, convert=True)]
        assert len(rows) == 2
        assert rows[0]["t"] in wanted
        assert rows[1] == {}


@pytest.mark.parametrize(
    ("given", "row_id"),
    [
        (1, "1"),
        (1.0, "1"),
        (np.int64(7), "7"),
        (2.5, "2.5"),
        (ID, str(ID)),
        (dt.date(2024, 1, 2), "2024-01-02"),
    ],
)
def test_ids_of_numbers_dates_and_uuids(given: object, row_id: str) -> None:
    assert list(load([{"id": given, "a": 1}], "id")) == [row_id]
    with pytest.raises(InvalidIdTypeError, match=r"record 0: an id must be a str, not .*convert=True"):
        load([{"id": given, "a": 1}], "id", convert=False)


@pytest.mark.parametrize(
    ("record", "row_ids", "text"),
    [
        ({"a": 1}, "name", "record 0 has no 'name', only 'a'"),
        ({"name": None, "a": 1}, "name", "record 0 has no id"),
        ({"name": math.nan, "a": 1}, "name", "record 0 has no id"),
        ({"name": True, "a": 1}, "name", "an id must be a str, not bool"),
        ({"name": [1], "a": 1}, "name", "an id must be a str, not list"),
        ({"name": "\ud800", "a": 1}, "name", "lone surrogates"),
    ],
)
def test_a_record_without_a_usable_id(record: object, row_ids: str, text: str) -> None:
    with pytest.raises(InvalidIdError, match=text):
        load([record], row_ids)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (None, "an iterable of records, a data frame or a dictionary of columns is needed here"),
        ("text", "of type str"),
        (pl.LazyFrame({"a": [1]}), r"collect\(\) makes a DataFrame"),
        ({"name": "fido"}, "put a single record"),
        ({"fido": {"price": 5}}, "rows by their ids"),
        ([1], "record 0: an object of type int has no fields"),
        ([{"a": 1}, Pet], "record 1: an object is needed here, not the class Pet"),
        (np.array([[1, 2]]), "record 0: an object of type ndarray has no fields"),
    ],
)
def test_what_has_no_records(source: object, text: str) -> None:
    with pytest.raises(TypeError, match=text):
        load(source)


def test_columns_that_do_not_fit_together() -> None:
    with pytest.raises(InvalidCellError, match="cell 'b': the column is 1 long, and 'a' is 2"):
        load({"a": [1, 2], "b": [1]})
    twice = pd.DataFrame([[1, 2]], columns=["a", "a"])
    with pytest.raises(InvalidCellError, match="cell 'a': two columns have this name"):
        load(twice)


def test_names_of_columns() -> None:
    assert load(pd.DataFrame([[1, 2]])) == {"0": {"0": 1, "1": 2}}
    with pytest.raises(InvalidIdTypeError, match="an id must be a str, not int"):
        load(pd.DataFrame([[1, 2]]), convert=False)
