"""Python objects as cells, and back."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Any, NamedTuple, TypedDict
from uuid import UUID

import pydantic
import pytest

from weft import Store
from weft.errors import DataError, InvalidCellError, InvalidCellTypeError, InvalidValueError
from weft.store import from_cell, from_row, to_cell, to_row, to_tables_schema

ID = UUID("12345678-1234-5678-1234-567812345678")
MOMENT = datetime(2026, 11, 30, 10, 39, 51, 123456, tzinfo=timezone(timedelta(hours=-5)))


class Kind(Enum):
    DOG = "dog"
    CAT = 2.0
    BORN = date(2020, 1, 2)


class Size(IntEnum):
    BIG = 3


class Point(NamedTuple):
    x: float
    when: date


@dataclass
class Visit:
    day: date
    cost: Decimal = Decimal("1.10")


@dataclass
class Pet:
    name: str
    kind: Kind
    born: date | None = None
    fed: datetime | None = None
    bell: time = time(8, 30)
    weight: float = 0
    id: UUID = ID
    visits: list[Visit] = field(default_factory=list)
    tags: set[str] = field(default_factory=set)
    initial: str = field(init=False, default="?")


BOTH_WAYS: list[tuple[Any, object, object]] = [
    (datetime, MOMENT, "2026-11-30T10:39:51.123456-05:00"),
    (datetime, datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02T00:00:00+00:00"),
    (date, date(2026, 1, 2), "2026-01-02"),
    (time, time(8, 30, 1), "08:30:01"),
    (UUID, ID, str(ID)),
    (Decimal, Decimal("0.10"), "0.10"),
    (Kind, Kind.DOG, "dog"),
    (Kind, Kind.CAT, 2.0),
    (Kind, Kind.BORN, "2020-01-02"),
    (Size, Size.BIG, 3),
    (list[date], [date(2026, 1, 2)], ["2026-01-02"]),
    (tuple[date, ...], (date(2026, 1, 2), date(2026, 1, 3)), ["2026-01-02", "2026-01-03"]),
    (tuple[date, int], (date(2026, 1, 2), 5), ["2026-01-02", 5]),
    (frozenset[UUID], frozenset([ID]), [str(ID)]),
    (dict[str, Decimal], {"a": Decimal(5)}, {"a": "5"}),
    (Point, Point(1.5, date(2026, 1, 2)), [1.5, "2026-01-02"]),
    (Visit, Visit(date(2026, 1, 2)), {"day": "2026-01-02", "cost": "1.10"}),
    (date | None, None, None),
    (date | None, date(2026, 1, 2), "2026-01-02"),
    (date | str, "whenever", "whenever"),
    (str, "text", "text"),
    (bool, True, True),
]


@pytest.mark.parametrize(("kind", "value", "cell"), BOTH_WAYS, ids=repr)
def test_both_ways(kind: Any, value: object, cell: Any) -> None:
    assert to_cell(value) == cell
    back = from_cell(kind, Store(encode=to_cell).set_value("v", cell).get_value("v"))
    assert back == value
    assert type(back) is type(value)


def test_a_store_that_encodes_takes_them_everywhere_and_gives_the_cells() -> None:
    store = Store(encode=to_cell)
    store.set_cell("t", "r", "when", MOMENT)  # type: ignore[arg-type]
    store.set_row("t", "q", {"kind": Kind.DOG, "list": [{"id": ID}, (1, Decimal("1.0"))]})
    store.set_value("day", date(2026, 1, 2))  # type: ignore[arg-type]
    store.set_cell("t", "r", "when", lambda old: datetime.fromisoformat(old) + timedelta(days=1))  # type: ignore[arg-type, return-value]
    assert store.get_content() == (
        {
            "t": {
                "r": {"when": "2026-12-01T10:39:51.123456-05:00"},
                "q": {"kind": "dog", "list": [{"id": str(ID)}, [1, "1.0"]]},
            }
        },
        {"day": "2026-01-02"},
    )
    assert store.copy().set_value("id", ID).get_value("id") == str(ID)  # type: ignore[arg-type]


def test_without_it_the_error_says_what_to_do() -> None:
    with pytest.raises(InvalidCellTypeError) as caught:
        Store().set_cell("pets", "fido", "born", MOMENT)  # type: ignore[arg-type]
    assert (
        "table 'pets', row 'fido', cell 'born': a cell cannot be of type datetime; weft.store.to_cell(value)"
        in str(caught.value)
    )
    with pytest.raises(InvalidCellTypeError, match=r"JSON has no UUID; weft\.store\.to_cell"):
        Store().set_cell("pets", "fido", "ids", [ID])


def test_what_the_function_raises_is_why_the_write_is_refused() -> None:
    def strict(value: object) -> Any:
        raise ValueError(f"not {type(value).__name__}")

    with pytest.raises(InvalidCellError, match="not bytes"):
        Store(encode=strict).set_cell("t", "r", "c", b"")  # type: ignore[arg-type]
    with pytest.raises(InvalidCellTypeError, match="there is no cell for the type bytes"):
        Store(encode=to_cell).set_cell("t", "r", "c", b"")  # type: ignore[arg-type]
    with pytest.raises(InvalidValueError, match="must be finite"):
        Store(encode=lambda _: float("nan")).set_value("v", b"")  # type: ignore[arg-type]
    lenient = Store(encode=to_cell, on_invalid="ignore").set_cell("t", "r", "c", b"")  # type: ignore[arg-type]
    assert lenient.get_tables() == {}
    endless: list[Any] = [date(2026, 1, 2)]
    endless.append(endless)
    with pytest.raises(InvalidCellError, match="nested"):
        Store(encode=to_cell).set_cell("t", "r", "c", endless)


@pytest.mark.parametrize(
    ("kind", "cell"),
    [(date, "soon"), (date | None, "soon"), (date, 5), (UUID, "x"), (UUID, 5), (Decimal, "x"),
     (Decimal, True), (Kind, "bird"), (list[date], ["soon"]), (Visit, "2026-01-02"), (Visit, {"day": 5}),
     (date, None)],
    ids=repr,
)  # fmt: skip
def test_a_cell_of_another_type_is_refused(kind: Any, cell: Any) -> None:
    with pytest.raises(DataError):
        from_cell(kind, cell)


def test_a_row_of_a_dataclass_its_schema_and_back() -> None:
    pet = Pet(
        "fido", Kind.DOG, date(2020, 1, 2), MOMENT, weight=5, visits=[Visit(date(2026, 1, 2))], tags={"a"}
    )
    store = Store().set_tables_schema(to_tables_schema({"pets": Pet}))
    store.set_row("pets", "fido", to_row(pet))
    assert store.get_row("pets", "fido") == {
        "name": "fido", "kind": "dog", "born": "2020-01-02", "fed": MOMENT.isoformat(), "bell": "08:30:00",
        "weight": 5, "id": str(ID), "visits": [{"day": "2026-01-02", "cost": "1.10"}], "tags": ["a"],
        "initial": "?",
    }  # fmt: skip
    back = from_row(Pet, store.get_row("pets", "fido"))
    assert back == pet
    assert type(back.weight) is float
    with pytest.raises(DataError, match="the row has no cell 'kind', which Pet must have"):
        from_row(Pet, {"name": "fido"})
    with pytest.raises(DataError, match="Pet, field 'born': 'soon' is no"):
        from_row(Pet, {"name": "fido", "kind": "dog", "born": "soon"})


def test_rows_of_other_classes() -> None:
    class Model(pydantic.BaseModel):
        when: datetime
        price: Decimal = pydantic.Field(alias="Price")

    class Dict(TypedDict):
        when: date

    model = Model(when=MOMENT, Price=Decimal("1.10"))
    assert to_row(model) == {"when": MOMENT.isoformat(), "Price": "1.10"}
    assert from_row(Model, to_row(model)) == model
    assert to_row({"when": date(2026, 1, 2)}) == {"when": "2026-01-02"}
    assert from_row(Dict, {"when": "2026-01-02", "other": 5}) == {"when": date(2026, 1, 2)}
    assert from_row(Point, to_row(Point(1.5, date(2026, 1, 2)))) == Point(1.5, date(2026, 1, 2))
    with pytest.raises(TypeError, match="an object of type int has no fields to make a row of"):
        to_row(5)
    with pytest.raises(TypeError, match="an object is needed here, not the class Visit"):
        to_row(Visit)


def test_times_of_pandas_and_numpy_are_text_where_they_are_there() -> None:
    np: Any = pytest.importorskip("numpy")
    pd: Any = pytest.importorskip("pandas")
    assert to_cell(pd.Timestamp("2026-11-30T10:00:00.000000001Z")) == "2026-11-30T10:00:00.000000001+00:00"
    assert to_cell(np.datetime64("2026-11-30T10:00")) == "2026-11-30T10:00"
    for missing in (pd.NaT, np.datetime64("NaT")):
        with pytest.raises(ValueError, match="None stands for it"):
            to_cell(missing)
    frame = pd.DataFrame(
        {"n": [1, 2], "x": [0.5, 1.5], "b": [True, False], "when": pd.to_datetime(["2026-01-02"] * 2)}
    )
    store = Store(encode=to_cell)
    store.set_table("t", {str(index): dict(row) for index, row in frame.iterrows()})
    assert store.get_table("t") == {
        "0": {"n": 1, "x": 0.5, "b": True, "when": "2026-01-02T00:00:00"},
        "1": {"n": 2, "x": 1.5, "b": False, "when": "2026-01-02T00:00:00"},
    }
    plain = Store().set_row("t", "r", {"n": np.int64(5), "list": [np.float32(0.5), np.bool_(True)]})
    assert plain.get_row("t", "r") == {"n": 5, "list": [0.5, True]}
    plain.set_value("v", np.uint8(3)).set_cell("t", "r", "n", np.int32(6))
    assert type(plain.get_value("v")) is type(plain.get_cell("t", "r", "n")) is int
    for refused in (np.int64(2**60), np.float32("nan"), np.array([1]), pd.Timestamp("2026-01-02"), pd.NA):
        with pytest.raises(InvalidCellError):
            plain.set_cell("t", "r", "c", refused)
