"""Views behave as dictionaries do, and show what is there."""

from __future__ import annotations

import copy
from collections.abc import MutableMapping
from typing import Any

import pytest
from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from weft import Store
from weft.errors import InvalidCellError, InvalidIdTypeError
from weft.store import RowView, TablesView, TableView, ValuesView


@pytest.fixture
def store() -> Store:
    return Store().set_content(
        ({"pets": {"fido": {"species": "dog", "age": 3}, "felix": {"species": "cat"}}}, {"open": True})
    )


def test_the_views_read(store: Store) -> None:
    assert store.tables["pets"]["fido"]["species"] == "dog"
    assert store.values["open"] is True
    assert list(store.tables) == ["pets"]
    assert list(store.tables["pets"]) == ["fido", "felix"]
    assert list(reversed(store.tables["pets"])) == ["felix", "fido"]
    assert list(store.tables["pets"]["fido"].items()) == [("species", "dog"), ("age", 3)]
    assert len(store.tables["pets"]) == 2
    assert "fido" in store.tables["pets"]
    assert "rex" not in store.tables["pets"]
    assert store.tables == store.get_tables()
    assert store.values == {"open": True}
    assert store.tables["pets"].get("rex") is None
    for view, kind in (
        (store.tables, TablesView),
        (store.tables["pets"], TableView),
        (store.tables["pets"]["fido"], RowView),
        (store.values, ValuesView),
    ):
        assert isinstance(view, kind)
        assert isinstance(view, MutableMapping)


@pytest.mark.parametrize(
    ("look", "key"),
    [
        (lambda s: s.tables["x"], "x"),
        (lambda s: s.tables["pets"]["x"], "x"),
        (lambda s: s.tables["pets"]["fido"]["x"], "x"),
        (lambda s: s.values["x"], "x"),
        (lambda s: s.tables.pop("x"), "x"),
        (lambda s: s.values.pop("x"), "x"),
        (lambda s: s.tables.__delitem__("x"), "x"),
        (lambda s: s.tables["pets"].__delitem__("x"), "x"),
        (lambda s: s.tables["pets"]["fido"].__delitem__("x"), "x"),
        (lambda s: s.values.__delitem__("x"), "x"),
    ],
)
def test_what_is_absent_is_a_key_error_that_names_it(store: Store, look: Any, key: str) -> None:
    with pytest.raises(KeyError) as caught:
        look(store)
    assert caught.value.args == (key,)


def test_the_views_write(store: Store) -> None:
    store.tables["pets"]["fido"]["age"] = 4
    store.tables["pets"]["rex"] = {"species": "dog"}
    store.tables["zoo"] = {"leo": {"species": "lion"}}
    store.values["size"] = 2
    del store.tables["pets"]["felix"]
    del store.tables["pets"]["fido"]["species"]
    del store.values["open"]
    assert store.get_content() == (
        {"pets": {"fido": {"age": 4}, "rex": {"species": "dog"}}, "zoo": {"leo": {"species": "lion"}}},
        {"size": 2},
    )
    del store.tables["pets"]["fido"]["age"]
    assert list(store.tables["pets"]) == ["rex"]
    store.tables["pets"].clear()
    store.tables["zoo"]["leo"].clear()
    assert store.tables == {}
    store.set_table("t", {"r": {"c": 1}})
    store.tables.clear()
    store.values.clear()
    assert store.get_content() == ({}, {})
    with pytest.raises(KeyError):
        store.values.popitem()


def test_a_view_of_what_is_not_there_yet_is_empty_and_makes_it(store: Store) -> None:
    table = store.table("zoo")
    row = store.row("zoo", "leo")
    assert len(table) == len(row) == 0
    row["species"] = "lion"
    assert table == {"leo": {"species": "lion"}}
    del store.tables["zoo"]
    assert dict(row) == {}
    table["cleo"] = {"species": "lion"}
    assert store.tables["zoo"]["cleo"]["species"] == "lion"


def test_pop_gives_plain_copies(store: Store) -> None:
    assert store.tables["pets"].pop("felix") == {"species": "cat"}
    assert type(store.tables.pop("pets")) is dict
    assert store.tables.pop("pets", None) is None
    assert store.values.popitem() == ("open", True)
    assert store.get_content() == ({}, {})


def test_setdefault_gives_a_live_view(store: Store) -> None:
    assert store.tables.setdefault("pets")["fido"]["age"] == 3
    store.tables.setdefault("zoo").setdefault("leo")["species"] = "lion"
    assert store.tables["zoo"] == {"leo": {"species": "lion"}}
    assert store.tables["zoo"].setdefault("leo", {"x": 1}) == {"species": "lion"}
    assert store.tables["zoo"].setdefault("cleo", {"x": 1}) == {"x": 1}
    assert store.tables.setdefault("new", {"r": {"c": 1}}) == {"r": {"c": 1}}
    assert store.values.setdefault("open", False) is True
    assert store.values.setdefault("size", 1) == 1


def test_update_is_one_transaction(store: Store) -> None:
    calls: list[object] = []
    store.add_did_finish_transaction_listener(lambda _: calls.append(1))
    store.tables["pets"]["fido"].update({"age": 5}, name="Fido")
    store.tables["pets"] |= {"rex": {"species": "dog"}}
    store.values.update([("a", 1), ("b", 2)])
    store.tables.update(zoo={"leo": {"species": "lion"}})
    # ``|=`` on an item writes the view back to its own place.
    assert len(calls) == 5
    assert store.tables["pets"]["fido"] == {"species": "dog", "age": 5, "name": "Fido"}
    with pytest.raises(InvalidCellError):
        store.tables["pets"]["fido"].update({"age": 6, "bad": object()})
    assert store.get_cell("pets", "fido", "age") == 5


def test_merging_gives_plain_dictionaries(store: Store) -> None:
    row = store.tables["pets"]["fido"]
    assert row | {"age": 9} == {"species": "dog", "age": 9}
    assert {"x": 1} | row == {"x": 1, "species": "dog", "age": 3}
    assert type(row | {}) is type({} | row) is dict
    copied = store.tables.copy()
    copied["pets"]["fido"]["age"] = 100
    assert store.get_cell("pets", "fido", "age") == 3
    assert row.copy() == {"species": "dog", "age": 3}


def test_a_view_can_be_written_elsewhere(store: Store) -> None:
    store.tables["copy"] = store.tables["pets"]
    store.tables["pets"]["fido"] = store.tables["copy"]["felix"]
    store.tables["pets"] = store.tables["pets"]
    assert store.get_tables() == {
        "pets": {"fido": {"species": "cat"}, "felix": {"species": "cat"}},
        "copy": {"fido": {"species": "dog", "age": 3}, "felix": {"species": "cat"}},
    }


def test_bad_data_raises_as_in_the_store(store: Store) -> None:
    with pytest.raises(InvalidCellError):
        store.tables["pets"]["fido"]["age"] = object()  # type: ignore[assignment]
    with pytest.raises(InvalidCellError, match="del_row"):
        store.tables["pets"]["fido"] = {}
    with pytest.raises(InvalidIdTypeError):
        store.values[1] = 1  # type: ignore[index]


def test_changing_while_iterating_is_an_error_as_with_a_dict(store: Store) -> None:
    def change(table: Any) -> None:
        for row_id in table:
            table[row_id + "2"] = {"x": 1}

    with pytest.raises(RuntimeError, match="changed"):
        change(store.tables["pets"])


def test_a_cell_with_a_default_is_reset(store: Store) -> None:
    store.set_tables_schema(
        {"pets": {"species": {"type": "string", "default": "?"}, "age": {"type": "number"}}}
    )
    assert store.tables["pets"]["fido"].pop("species") == "dog"
    assert store.tables["pets"]["fido"]["species"] == "?"


def test_the_text_of_a_view_shows_some_of_it(store: Store) -> None:
    assert repr(store.values) == "<ValuesView {'open': True}>"
    assert repr(store.tables["pets"]["fido"]) == "<RowView 'pets' 'fido' {'species': 'dog', 'age': 3}>"
    assert repr(store.tables["pets"]).startswith("<TableView 'pets' {'fido': {'species': 'dog', 'age': 3}, ")
    assert repr(store.tables) == "<TablesView {'pets': 2 rows}>"
    store.values.update({str(number): number for number in range(9)})
    assert repr(store.values).endswith("'3': 3, … 5 more}>")


def test_the_text_of_any_view_is_short() -> None:
    long = "x" * 5000
    store = Store().set_table(
        long, {f"{long}{row}": {f"{long}{cell}": [long] for cell in range(40)} for row in range(400)}
    )
    store.set_values({f"{long}{number}": long for number in range(400)})
    row = next(iter(store.tables[long].values()))
    for view in (store, store.tables, store.tables[long], row, store.values):
        assert len(repr(view)) < 6000
        assert len(view._repr_html_()) < 1_000_000
    twenty = Store().set_table("t", {str(row): {"c": row} for row in range(20_000)})
    assert repr(twenty.tables) == "<TablesView {'t': 20,000 rows}>"
    assert repr(twenty.tables["t"]).endswith("'4': {'c': 4}, … 19,995 more}>")


def test_a_view_in_a_notebook_shows_what_the_store_does(store: Store) -> None:
    table = store.tables["pets"]._repr_html_()
    assert table.startswith("<h4>pets (2 rows)</h4><table><thead>")
    assert store.tables._repr_html_() == table
    assert store._repr_html_() == table + store.values._repr_html_()
    assert store.tables["pets"]["fido"]._repr_html_() == (
        "<h4>pets fido</h4><table><tbody><tr><th>species</th><td>dog</td></tr>"
        "<tr><th>age</th><td>3</td></tr></tbody></table>"
    )
    assert Store().tables._repr_html_() == "<p>no tables</p>"
    assert Store().values._repr_html_() == "<p>no values</p>"


KEYS = st.sampled_from(["a", "b", "c", "d"])
NUMBERS = st.integers(0, 5)
ROWS = st.dictionaries(KEYS, NUMBERS, min_size=1, max_size=3)


class ViewMachine(RuleBasedStateMachine):
    """A row, a table and the values against real dictionaries."""

    @initialize()
    def start(self) -> None:
        self.store = Store()
        self.views: list[Any] = [self.store.row("t", "r"), self.store.table("u"), self.store.values]
        self.models: list[dict[str, Any]] = [{}, {}, {}]

    def entry(self, which: int, row: dict[str, int]) -> Any:
        return row if which == 1 else next(iter(row.values()))

    def both(self, which: int, action: Any) -> None:
        results: list[object] = []
        for mapping in (self.views[which], self.models[which]):
            try:
                result = action(mapping)
            except KeyError as error:
                results.append(("KeyError", error.args if action.__name__ != "popitem" else ()))
            else:
                results.append(("result", result if not isinstance(result, MutableMapping) else dict(result)))
        assert results[0] == results[1]

    @rule(which=st.integers(0, 2), key=KEYS, row=ROWS)
    def setitem(self, which: int, key: str, row: dict[str, int]) -> None:
        self.both(which, lambda mapping: mapping.__setitem__(key, copy.copy(self.entry(which, row))))

    @rule(which=st.integers(0, 2), key=KEYS)
    def getitem_and_delitem(self, which: int, key: str) -> None:
        self.both(which, lambda mapping: mapping[key])
        self.both(which, lambda mapping: mapping.__delitem__(key))

    @rule(which=st.integers(0, 2), key=KEYS, row=ROWS, with_default=st.booleans())
    def pop(self, which: int, key: str, row: dict[str, int], with_default: bool) -> None:
        args = (key, self.entry(which, row)) if with_default else (key,)
        self.both(which, lambda mapping: mapping.pop(*args))

    @rule(which=st.integers(0, 2))
    def popitem(self, which: int) -> None:
        def popitem(mapping: Any) -> Any:
            return mapping.popitem()

        self.both(which, popitem)

    @rule(which=st.integers(0, 2), key=KEYS, row=ROWS)
    def setdefault(self, which: int, key: str, row: dict[str, int]) -> None:
        self.both(which, lambda mapping: mapping.setdefault(key, copy.copy(self.entry(which, row))))

    @rule(which=st.integers(0, 2), keys=st.lists(KEYS), row=ROWS, in_place=st.booleans())
    def update(self, which: int, keys: list[str], row: dict[str, int], in_place: bool) -> None:
        entries = {key: copy.copy(self.entry(which, row)) for key in keys}
        self.both(which, lambda mapping: mapping.__ior__(entries) if in_place else mapping.update(entries))

    @rule(which=st.integers(0, 2))
    def clear(self, which: int) -> None:
        self.both(which, lambda mapping: mapping.clear())

    @invariant()
    def they_are_the_same(self) -> None:
        for view, model in zip(self.views, self.models, strict=True):
            assert view == model
            assert model == view
            assert len(view) == len(model)
            assert bool(view) == bool(model)
            assert list(view) == list(model)
            assert list(reversed(view)) == list(reversed(model))
            assert list(view.keys()) == list(model.keys())
            assert [entry == other for entry, other in zip(view.values(), model.values(), strict=True)].count(
                False
            ) == 0
            assert [(key, key in view, view.get(key)) for key in "abcd"] == [
                (key, key in model, model.get(key)) for key in "abcd"
            ]


def test_views_behave_as_dictionaries() -> None:
    run_state_machine_as_test(ViewMachine, settings=settings(max_examples=60, stateful_step_count=25))
