"""What can be an id."""

from __future__ import annotations

from typing import Any

import pytest

from weft import Store
from weft.errors import (
    InvalidIdTypeError,
)


@pytest.mark.parametrize(
    "write",
    [
        lambda s: s.set_tables({1: {"r": {"a": 1}}}),
        lambda s: s.set_tables({"t": {1: {"a": 1}}}),
        lambda s: s.set_tables({"t": {"r": {1: 1}}}),
        lambda s: s.set_table(None, {"r": {"a": 1}}),
        lambda s: s.set_row("t", 1, {"a": 1}),
        lambda s: s.set_partial_row(1, "r", {"a": 1}),
        lambda s: s.add_row(1, {"a": 1}),
        lambda s: s.set_values({1: 1}),
    ],
)
def test_ids_are_text_at_every_level(write: Any) -> None:
    store = Store()
    with pytest.raises(InvalidIdTypeError):
        write(store)
    assert store.get_content() == ({}, {})
    lenient = Store(on_invalid="ignore")
    heard: list[object] = []
    lenient.add_invalid_cell_listener(None, None, None, lambda *args: heard.append(args))
    lenient.add_invalid_value_listener(None, lambda *args: heard.append(args))
    write(lenient)
    assert lenient.get_content() == ({}, {})
    assert len(heard) == 1
