"""The fields of classes, and the members of types."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, NamedTuple, NewType, Optional, TypedDict

import pytest

from weft.errors import InvalidSchemaError
from weft.store.model_fields import fields_of, is_object, members_of
from weft.values import UNDEFINED

Name = NewType("Name", str)


@dataclass
class Data:
    name: str
    price: float | None = None


class Tuple(NamedTuple):
    name: str
    price: float = 0


class Dict(TypedDict, total=False):
    name: str


def test_fields_have_a_name_a_type_a_default_and_may_be_required() -> None:
    assert list(fields_of(Data)) == [("name", str, UNDEFINED, True), ("price", float | None, None, False)]
    assert list(fields_of(Tuple)) == [("name", str, UNDEFINED, True), ("price", float, 0, False)]
    assert list(fields_of(Dict)) == [("name", str, UNDEFINED, False)]
    assert list(fields_of({"a": int})) == [("a", int, UNDEFINED, False)]
    with pytest.raises(InvalidSchemaError, match="int is no dataclass"):
        list(fields_of(int))
    assert [is_object(kind) for kind in (Data, Dict, Tuple, int)] == [True, True, False, False]


def test_a_type_is_taken_apart_into_the_members_of_its_union() -> None:
    assert list(members_of(Optional[int])) == [int, type(None)]  # noqa: UP045 - both spellings are met
    assert list(members_of(Annotated[Name, "x"] | float)) == [str, float]
    assert list(members_of(list[int])) == [list[int]]
