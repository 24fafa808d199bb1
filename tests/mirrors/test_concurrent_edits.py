"""What docs/choosing.md says of edits that are made at once, in every kind of document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import pytest

from weft import AutomergeDocument, AutomergeMirror, Store, YjsMirror, create_doc

if TYPE_CHECKING:
    from collections.abc import Callable

Edit = tuple[str, *tuple[Any, ...]]
FIRST = {"x": 0, "y": 5}
CASES: list[tuple[list[Edit], list[Edit], Any, Any]] = [
    (
        [("set_cell", "t", "r", "a", 1)],
        [("set_cell", "t", "r", "b", 2)],
        {"t": {"r": {**FIRST, "a": 1, "b": 2}}},
        None,
    ),
    ([("set_cell", "t", "r", "x", 1)], [("del_cell", "t", "r", "x")], {"t": {"r": {"x": 1, "y": 5}}}, None),
    ([("set_cell", "t", "r", "x", 1)], [("del_row", "t", "r")], {}, {"t": {"r": {"x": 1}}}),
    ([("set_cell", "t", "r", "x", 1)], [("del_table", "t")], {}, {"t": {"r": {"x": 1}}}),
    (
        [("set_cell", "t", "r", "x", 1)],
        [("del_row", "t", "r"), ("set_row", "t", "r", {"n": 9})],
        {"t": {"r": {"n": 9}}},
        {"t": {"r": {"n": 9, "x": 1}}},
    ),
    (
        [("set_row", "t", "q", {"a": 1})],
        [("set_row", "t", "q", {"b": 2})],
        {"t": {"r": FIRST, "q": {"a": 1, "b": 2}}},
        None,
    ),
    (
        [("set_row", "u", "1", {"a": 1})],
        [("set_row", "u", "2", {"b": 2})],
        {"t": {"r": FIRST}, "u": {"1": {"a": 1}, "2": {"b": 2}}},
        None,
    ),
]


def _yjs(layout: Literal["tinybase", "flat"]) -> tuple[Store, Callable[[], bytes], Callable[[bytes], None]]:
    store, doc = Store(), create_doc()
    mirror = YjsMirror(store, doc, layout=layout).start()

    def take(update: bytes) -> None:
        doc.apply_update(update)
        mirror.flush()

    return store, doc.get_update, take


def _automerge() -> tuple[Store, Callable[[], list[bytes]], Callable[[list[bytes]], object]]:
    store, document = Store(), AutomergeDocument()
    AutomergeMirror(store, document).start()
    return store, lambda: list(document.changes_since([])), document.apply_changes


@pytest.mark.parametrize("kind", ["tinybase", "flat", "automerge"])
@pytest.mark.parametrize("is_turned", [False, True])
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0][0][0]} and {case[1][0][:2]}")
def test_concurrent_edits_come_to_what_the_page_says(
    kind: Literal["tinybase", "flat", "automerge"], is_turned: bool, case: Any
) -> None:
    *edits, expected, expected_flat = case
    peers: list[Any] = [_automerge() if kind == "automerge" else _yjs(kind) for _ in range(2)]

    def meet() -> None:
        for _ in range(3):  # what one heals, the other hears of
            for (_, give, _), (_, _, take) in (peers, reversed(peers)):
                take(give())

    peers[0][0].set_row("t", "r", FIRST)
    meet()
    for (store, _, _), steps in zip(peers, reversed(edits) if is_turned else edits, strict=True):
        for name, *arguments in steps:
            getattr(store, name)(*arguments)
    meet()
    is_other = kind == "flat" and expected_flat is not None
    assert [store.get_tables() for store, _, _ in peers] == [expected_flat if is_other else expected] * 2
