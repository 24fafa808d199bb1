"""The error tree: as its page says, and each error says what happened."""

from __future__ import annotations

import copy
import inspect
import pickle
import re

import pytest

from weft import errors
from weft.errors import (
    ConnectionClosedError,
    InvalidCellError,
    InvalidIdError,
    StorageError,
    WeftError,
)

CLASSES = {name: getattr(errors, name) for name in errors.__all__}


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    assert errors.__doc__
    parents: list[str] = []
    drawn = {}
    for line in errors.__doc__.splitlines():
        found = re.match(r"    ([│├└─ ]*)(\w+Error)(?: \((\w+)\))?", line)
        if not found:
            continue
        depth = len(found[1]) // 4
        drawn[found[2]] = {*parents[depth - 1 : depth], *([found[3]] if found[3] else [])}
        parents[depth:] = [found[2]]
    assert drawn.pop("WeftError") == set()
    assert drawn.keys() == CLASSES.keys() - {"WeftError"}
    for name, bases in drawn.items():
        assert {base.__name__ for base in CLASSES[name].__bases__} == bases, name


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_each_is_weftenerror_and_says_what_it_is(name: str) -> None:
    assert issubclass(CLASSES[name], WeftError)
    assert inspect.getdoc(CLASSES[name])


def test_facts_are_attributes_and_the_sentence_is_made_of_them() -> None:
    error = InvalidCellError("pets", "fido", "legs", {1, 2}, "a set cannot be a cell")
    assert (error.table_id, error.row_id, error.cell_id, error.cell) == ("pets", "fido", "legs", {1, 2})
    for fact in ("pets", "fido", "legs", "{1, 2}", "a set cannot be a cell"):
        assert fact in str(error)


@pytest.mark.parametrize("data", ["x" * 10_000, 10**6_000], ids=["long text", "an integer too long to show"])
def test_foreign_data_does_not_flood_a_message(data: object) -> None:
    assert len(str(InvalidIdError(data, "is too long"))) < 400


@pytest.mark.parametrize(
    "error",
    [
        InvalidIdError("", "is empty"),
        InvalidCellError("t", "r", "c", 1, "no"),
        ConnectionClosedError(1008, "not here"),
        StorageError("no room left"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_can_be_copied_and_sent_to_another_process(error: WeftError) -> None:
    for other in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert type(other) is type(error)
        assert str(other) == str(error)
