"""What a page tells of a table: all that the Store has, and no more than what changed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, strategies as st

from weft import Store
from weft.notebook.page import MAX_COLUMNS, MAX_TEXT, TablePage, kind_of


def page_of(store: Store, size: int = 3, heard: list[int] | None = None, **options: Any) -> TablePage:
    options = {"columns": None, "sort": None, "descending": False, **options}
    heard = [] if heard is None else heard
    return TablePage(store, "t", lambda: heard.append(1), size=size, **options)


class Reader:
    """Applies messages as ``live_table.js`` does."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, Any]] = {}
        self.columns: list[str] = []
        self.facts: dict[str, Any] = {}

    def __call__(self, message: dict[str, Any]) -> None:
        message = dict(message)
        rows, ids, columns = message.pop("rows", {}), message.pop("ids", None), message.pop("columns", None)
        if message.pop("is_whole", False) or columns is not None:
            self.rows = {}
            self.columns = self.columns if columns is None else columns
        self.facts.update(message)
        if ids is not None:
            self.rows = {row_id: self.rows.get(row_id, {}) for row_id in ids}
        for row_id, cells in rows.items():
            for cell_id, shown in cells.items():
                self.rows[row_id][cell_id] = shown


def shown(cell: object) -> list[str]:
    return [kind_of(cell), cell if isinstance(cell, str) else json.dumps(cell)]


CELLS = st.one_of(st.none(), st.booleans(), st.integers(2, 5), st.sampled_from("xy"))
EDITS = st.one_of(
    st.tuples(st.just("set_cell"), st.just("t"), st.sampled_from("abcdef"), st.sampled_from("pqr"), CELLS),
    st.tuples(st.just("del_cell"), st.just("t"), st.sampled_from("abcdef"), st.sampled_from("pqr")),
    st.tuples(st.just("del_row"), st.just("t"), st.sampled_from("abcdef")),
    st.tuples(st.just("del_table"), st.just("t")),
    st.tuples(st.just("set_cell"), st.just("another"), st.just("a"), st.just("p"), st.just(1)),
    st.just(("take_change",)),
    st.tuples(
        st.just("show"), st.integers(-1, 9), st.sampled_from([None, "p", "q"]), st.booleans()
    ),
)  # fmt: skip


@given(st.lists(EDITS, max_size=25))
def test_who_applies_all_changes_sees_what_the_store_has(edits: list[Any]) -> None:
    store, reader = Store(), Reader()
    store.set_table("t", {"a": {"p": 1, "q": "x"}, "b": {"p": 2}, "c": {"q": None}, "d": {"r": True}})
    page = page_of(store)
    reader(page.take_page())
    for name, *arguments in edits:
        if name in {"take_change", "show"}:
            reader(getattr(page, name)(*arguments))
        else:
            getattr(store, name)(*arguments)
    reader(page.take_change())
    assert reader.columns == store.get_table_cell_ids("t")
    table = store.get_table("t")
    facts = reader.facts
    assert facts["total"] == len(table)
    assert 0 <= facts["offset"] <= len(table)
    whole = Reader()
    whole(page_of(store, 100, sort=facts["sort"], descending=facts["descending"]).take_page())
    ids = list(whole.rows)[facts["offset"] : facts["offset"] + 3]
    assert len(reader.rows) == len(ids)
    if facts["sort"] is not None:
        present = [row_id for row_id in ids if table[row_id].get(facts["sort"]) is not None]
        assert list(reader.rows)[: len(present)] == present
    else:
        assert list(reader.rows) == ids
    assert {
        row_id: {cell_id: cell for cell_id, cell in row.items() if cell is not None}
        for row_id, row in reader.rows.items()
    } == {row_id: {id_: shown(cell) for id_, cell in table[row_id].items()} for row_id in reader.rows}


def test_a_change_has_what_changed_and_no_more() -> None:
    store, heard = Store(), list[int]()
    store.set_table("t", {f"{at}": {"p": at, "q": "x"} for at in range(1000)})
    page = page_of(store, heard=heard)
    page.take_page()
    facts = {"total": 1000, "offset": 0, "sort": None, "descending": False, "more_columns": 0}
    store.set_cell("t", "1", "p", "new")
    assert page.take_change() == {"rows": {"1": {"p": ["text", "new"]}}, **facts}
    store.set_cell("t", "999", "p", 5)  # on another page
    assert len(heard) == 2
    assert page.take_change() == facts
    store.del_cell("t", "2", "q")
    store.del_row("t", "0")
    change = page.take_change()
    assert change == {
        **facts, "total": 999, "ids": ["1", "2", "3"],
        "rows": {"2": {"q": None}, "3": {"p": ["number", "3"], "q": ["text", "x"]}},
    }  # fmt: skip
    assert len(heard) == 4
    store.set_row("another", "1", {"p": 1})
    assert len(heard) == 4


def test_the_work_of_a_change_does_not_grow_with_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store()
    store.set_table("t", {f"{at}": {"p": at} for at in range(1000)})
    page = page_of(store, sort="p", descending=True)
    page.take_page()
    reads: list[str] = []

    def counted(name: str) -> Any:
        real = getattr(Store, name)

        def call(*arguments: Any) -> Any:
            reads.append(name)
            return real(*arguments)

        return call

    for name in ("get_table", "get_row_ids", "get_row", "get_cell", "get_table_cell_ids"):
        monkeypatch.setattr(Store, name, counted(name))
    store.set_cell("t", "5", "p", 5000)
    assert page.take_change()["ids"] == ["5", "999", "998"]
    assert reads == ["get_table_cell_ids", "get_row"]  # of the row that came to the page


def test_what_is_long_is_cut() -> None:
    store = Store()
    store.set_row("t", "a", {f"c{at}": "x" * 1000 for at in range(MAX_COLUMNS + 5)})
    message = page_of(store).take_page()
    assert len(message["columns"]) == MAX_COLUMNS
    assert message["more_columns"] == 5
    assert message["rows"]["a"]["c0"] == ["cut", "x" * MAX_TEXT + "…"]


def test_columns_that_were_asked_for_stay() -> None:
    store = Store()
    store.set_row("t", "a", {"p": 1, "q": {"x": 1}})
    page = page_of(store, columns=["q", "s"])
    message = page.take_page()
    assert message["columns"] == ["q", "s"]
    assert message["rows"] == {"a": {"q": ["json", '{"x":1}']}}
    store.set_cell("t", "a", "p", 2)
    assert "rows" not in page.take_change()


def test_an_offset_beyond_the_end_is_the_last_page() -> None:
    store = Store()
    store.set_table("t", {str(at): {"p": at} for at in range(7)})
    page = page_of(store)
    page.take_page()
    assert page.show(99, None, False)["ids"] == ["6"]
    store.del_row("t", "6")
    assert page.take_change()["ids"] == ["3", "4", "5"]
    store.del_table("t")
    change = page.take_change()
    assert (change["ids"], change["total"], change["offset"]) == ([], 0, 0)


def test_after_close_nothing_is_heard() -> None:
    store, heard = Store(), list[int]()
    page = page_of(store, heard=heard)
    store.set_cell("t", "a", "p", 1)
    page.close()
    store.set_cell("t", "a", "p", 2)
    assert heard == [1]


def test_a_table_that_is_set_anew_between_two_changes() -> None:
    store, reader = Store(), Reader()
    store.set_table("t", {"a": {"p": 1, "q": 1}, "b": {"p": 2}})
    page = page_of(store)
    reader(page.take_page())
    store.del_table("t")
    store.set_row("t", "b", {"q": 2})
    store.set_row("t", "a", {"q": 1})
    reader(page.take_change())
    assert reader.rows == {"b": {"q": ["number", "2"]}, "a": {"q": ["number", "1"]}}
    store.del_row("t", "b")
    store.set_row("t", "b", {"q": 2})
    reader(page.take_change())
    assert list(reader.rows) == ["a", "b"]


@pytest.mark.parametrize(
    ("cell", "kind"), [(None, "null"), (True, "truth"), (1, "number"), ("", "text"), ([], "json")]
)
def test_kinds(cell: object, kind: str) -> None:
    assert kind_of(cell) == kind
