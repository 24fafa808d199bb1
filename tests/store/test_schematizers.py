"""Schemas from Python types."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence  # noqa: TC003 - read at run time
from dataclasses import dataclass, field
from typing import (
    Annotated,
    Any,
    Final,
    Literal,
    NamedTuple,
    NewType,
    NotRequired,
    Optional,
    TypedDict,
    Union,
)

import pydantic
import pytest

from weft import Store
from weft.errors import InvalidSchemaError
from weft.store import to_tables_schema, to_values_schema

OwnerId = NewType("OwnerId", str)


class Size(enum.Enum):
    SMALL = "s"
    LARGE = "l"


class Level(enum.IntEnum):
    LOW = 1


class Address(TypedDict):
    street: str


@dataclass
class Part:
    name: str


@dataclass
class Pet:
    species: Literal["dog", "cat"]
    price: float
    name: str = ""
    size: Size = Size.SMALL
    owner: OwnerId | None = None
    tags: list[str] = field(default_factory=list)
    note: Annotated[Optional[str], "shown"] = "x"  # noqa: UP045 - the old spelling is understood too
    address: Address | None = None
    parts: Part = field(default_factory=lambda: Part("tail"))
    either: Union[int, str, list[int]] = 0  # noqa: UP007
    flag: bool = False


def test_a_dataclass_is_a_table() -> None:
    schema = to_tables_schema({"pets": Pet})
    assert schema == {
        "pets": {
            "species": {"enum": ["dog", "cat"], "required": True},
            "price": {"type": "number", "required": True},
            "name": {"type": "string", "default": ""},
            "size": {"enum": ["s", "l"], "default": "s"},
            "owner": {"type": "string", "default": None, "allowNull": True},
            "tags": {"type": "array", "default": []},
            "note": {"type": "string", "default": "x", "allowNull": True},
            "address": {"type": "object", "default": None, "allowNull": True},
            "parts": {"type": "object", "default": {"name": "tail"}},
            "either": {"type": ["number", "string", "array"], "default": 0},
            "flag": {"type": "boolean", "default": False},
        }
    }
    store = Store().set_tables_schema(schema)
    store.set_row("pets", "fido", {"species": "dog", "price": 5})
    assert store.get_cell("pets", "fido", "parts") == {"name": "tail"}


def test_a_typed_dict_is_a_table_and_not_required_is_seen() -> None:
    class Row(TypedDict):
        a: int
        b: NotRequired[str | None]
        c: NotRequired[Literal[1, "x", None]]

    assert to_values_schema(Row) == {
        "a": {"type": "number", "required": True},
        "b": {"type": "string", "allowNull": True},
        "c": {"enum": [1, "x"], "allowNull": True},
    }


def test_a_named_tuple_is_a_table() -> None:
    class Row(NamedTuple):
        a: Sequence[int]
        b: Mapping[str, int] = {}

    assert to_values_schema(Row) == {
        "a": {"type": "array", "required": True},
        "b": {"type": "object", "default": {}},
    }


def test_values_may_be_named_one_by_one() -> None:
    types: dict[str, object] = {
        "open": bool,
        "size": int | float,
        "tags": tuple[str, ...],
        "set": frozenset[int],
        "any": dict[str, Any],
        "level": Level,
        "mixed": Literal["a"] | int,
        "final": Final[str],
        "maybe": None | str,
    }
    schema = to_values_schema(types)
    assert schema == {
        "open": {"type": "boolean"},
        "size": {"type": "number"},
        "tags": {"type": "array"},
        "set": {"type": "array"},
        "any": {"type": "object"},
        "level": {"enum": [1]},
        "mixed": {"type": ["number", "string"]},
        "final": {"type": "string"},
        "maybe": {"type": "string", "allowNull": True},
    }
    assert Store().set_values_schema(schema).get_values_schema() == schema


class FieldInfo:
    """What pydantic says about a field."""

    alias: str | None = None

    def __init__(self, annotation: object, *default: object) -> None:
        self.annotation = annotation
        self._default = default

    def is_required(self) -> bool:
        return not self._default

    def get_default(self, *, call_default_factory: bool) -> object:
        assert call_default_factory
        return self._default[0]


def test_a_pydantic_model_is_read_without_importing_pydantic() -> None:
    class Inner:
        model_fields: dict[str, FieldInfo] = {}  # noqa: RUF012

        def model_dump(self) -> dict[str, int]:
            return {"x": 1}

    class Model:
        model_fields = {"a": FieldInfo(int), "b": FieldInfo(str | None, None), "c": FieldInfo(Inner, Inner())}  # noqa: RUF012

    Model.model_fields["a"].alias = "anno"
    assert to_tables_schema({"t": Model}) == {
        "t": {
            "anno": {"type": "number", "required": True},
            "b": {"type": "string", "default": None, "allowNull": True},
            "c": {"type": "object", "default": {"x": 1}},
        }
    }


def test_real_pydantic_models() -> None:
    class Model(pydantic.BaseModel):
        species: Literal["dog", "cat"]
        price: float = 1.5
        tags: list[str] = pydantic.Field(default_factory=list, alias="labels")

    assert to_tables_schema({"pets": Model}) == {
        "pets": {
            "species": {"enum": ["dog", "cat"], "required": True},
            "price": {"type": "number", "default": 1.5},
            "labels": {"type": "array", "default": []},
        }
    }


@pytest.mark.parametrize("annotation", [bytes, object, Any, complex, None, int | bytes, type, "text"])
def test_a_type_that_no_cell_can_have_is_refused_by_name(annotation: object) -> None:
    with pytest.raises(InvalidSchemaError, match="'size'"):
        to_values_schema({"size": annotation})


def test_what_has_no_fields_is_refused() -> None:
    @dataclass
    class Empty:
        pass

    for model in (Empty, int, object):
        with pytest.raises(InvalidSchemaError, match="fields"):
            to_tables_schema({"t": model})
    with pytest.raises(InvalidSchemaError, match="fields"):
        to_values_schema({})


def test_a_default_that_is_no_cell_is_refused_by_name() -> None:
    @dataclass
    class Bad:
        size: float = float("nan")

    with pytest.raises(InvalidSchemaError, match=r"Bad.*'size'"):
        to_values_schema(Bad)
