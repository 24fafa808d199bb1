"""Loading records into a table: all or nothing, one transaction, and what becomes of rows that are there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, strategies as st

from weft import Store, YjsMirror, create_doc
from weft.errors import DataError, InvalidCellError, InvalidCellTypeError, InvalidIdError
from weft.store import LoadSummary, create_middleware

if TYPE_CHECKING:
    from weft.store._core.loads import Existing

PETS: list[dict[str, Any]] = [
    {"name": "fido", "species": "dog", "price": 5},
    {"name": "felix", "species": "cat"},
]


def test_records_become_rows_in_one_transaction_and_what_was_done_is_told() -> None:
    store = Store()
    calls: list[object] = []
    store.add_tables_listener(lambda *_: calls.append(store.get_tables()))
    summary = store.table("pets").load(PETS, id="name")
    assert summary == LoadSummary(2, 0, 0, ("fido", "felix"))
    assert repr(summary) == "LoadSummary(added=2, changed=0, unchanged=0)"
    assert calls == [{"pets": {"fido": {"species": "dog", "price": 5}, "felix": {"species": "cat"}}}]
    assert PETS[0]["name"] == "fido"  # what was given is as it was


@pytest.mark.parametrize(
    ("existing", "fido", "numbers"),
    [
        ("merge", {"species": "dog", "price": 6, "owner": "Ada"}, (1, 1, 1)),
        ("replace", {"price": 6}, (1, 1, 1)),
        ("ignore", {"species": "dog", "price": 5, "owner": "Ada"}, (1, 0, 2)),
    ],
)
def test_a_row_that_is_there_is_merged_replaced_or_left_alone(
    existing: Existing, fido: object, numbers: tuple[int, ...]
) -> None:
    store = Store()
    rows: Any = {"fido": {"species": "dog", "price": 5, "owner": "Ada"}, "felix": {"species": "cat"}}
    store.set_table("pets", rows)
    records = [
        {"name": "fido", "price": 6},
        {"name": "felix", "species": "cat"},
        {"name": "rex", "species": "dog"},
    ]
    summary = store.table("pets").load(records, id="name", existing=existing)
    assert summary[:3] == numbers
    assert store.get_table("pets") == {**rows, "fido": fido, "rex": {"species": "dog"}}


def test_with_error_a_row_that_is_there_stops_all_of_it() -> None:
    store = Store()
    store.set_row("pets", "felix", {"species": "cat"})
    with pytest.raises(InvalidIdError, match="'felix': table 'pets' has this row \\(record 1\\)"):
        store.table("pets").load(PETS, id="name", existing="error")
    assert store.get_row_ids("pets") == ["felix"]


def test_two_records_with_one_id_are_one_row() -> None:
    store = Store()
    summary = store.table("pets").load(
        [{"id": "a", "x": 1}, {"id": "a", "y": 2}, {"id": "a", "y": 2}], id="id"
    )
    assert store.get_table("pets") == {"a": {"x": 1, "y": 2}}
    assert summary == LoadSummary(1, 1, 1, ("a", "a", "a"))


@pytest.mark.parametrize("in_transaction", [False, True])
def test_what_cannot_be_stored_is_named_and_nothing_is_half_loaded(in_transaction: bool) -> None:
    store = Store()
    records = [*PETS, {"name": "rex", "price": float("inf")}]
    text = "table 'pets', row 'rex', cell 'price': a number must be finite \\(record 2\\); got inf"
    if in_transaction:
        with store.transaction():
            store.set_value("open", True)
            with pytest.raises(InvalidCellError, match=text):
                store.table("pets").load(records, id="name")
    else:
        with pytest.raises(InvalidCellError, match=text):
            store.table("pets").load(records, id="name")
    assert store.get_content() == ({}, {"open": True} if in_transaction else {})


def test_a_source_that_fails_on_the_way_changes_nothing() -> None:
    def records() -> Any:
        yield {"species": "dog"}
        raise OSError("the file ends here")

    store = Store()
    with pytest.raises(OSError, match="ends here"):
        store.table("pets").load(records())
    assert store.get_tables() == {}


@pytest.mark.parametrize(
    ("records", "options", "kind", "text"),
    [
        ([{"a": {1}}], {}, InvalidCellTypeError, "cell 'a': a cell cannot be of type set (record 0)"),
        ([{}], {}, InvalidCellError, "an empty row cannot be stored; del_row deletes (record 0)"),
        ([{"a": None}], {"convert": True}, InvalidCellError, "an empty row cannot be stored"),
        ([{1: 2}], {}, InvalidIdError, "id 1: an id must be a str, not int (record 0)"),
        ([{"a": 1}], {"existing": "upsert"}, ValueError, "existing must be 'merge'"),
    ],
)
def test_other_mistakes(records: object, options: Any, kind: type[Exception], text: str) -> None:
    store = Store()
    with pytest.raises(kind) as caught:
        store.table("pets").load(records, **options)
    assert text in str(caught.value)
    assert store.get_tables() == {}


def test_a_schema_is_kept() -> None:
    store = Store()
    store.set_tables_schema(
        {"pets": {"species": {"type": "string", "required": True}, "price": {"type": "number", "default": 0}}}
    )
    pets = store.table("pets")
    pets.load([{"name": "fido", "species": "dog"}], id="name")
    assert store.get_table("pets") == {"fido": {"species": "dog", "price": 0}}
    for record, text in [
        ({"name": "rex"}, "the schema requires this cell"),
        ({"name": "rex", "species": 1}, "row 'rex', cell 'species'"),
        ({"name": "rex", "species": "dog", "size": 1}, "the schema does not have this cell"),
    ]:
        with pytest.raises(InvalidCellError, match=text):
            pets.load([record], id="name")
    # What is there has what is required.
    assert pets.load([{"name": "fido", "price": 6}], id="name").changed == 1
    assert store.get_table("pets") == {"fido": {"species": "dog", "price": 6}}


def test_a_store_that_ignores_leaves_out_what_is_bad_and_reports_it() -> None:
    store = Store(on_invalid="ignore")
    invalid: list[object] = []
    store.add_invalid_cell_listener(None, None, None, lambda _, *place: invalid.append(place[1:]))
    bad: Any = [{"id": "a", "x": 1, "y": {1}}, {"id": "b", "x": {1}}, {"id": "c", "x": 2}]
    summary = store.table("t").load(bad, id="id")
    assert summary == LoadSummary(2, 0, 0, ("a", "c"))
    assert store.get_table("t") == {"a": {"x": 1}, "c": {"x": 2}}
    assert invalid == [("a", "y", [{1}]), ("b", "x", [{1}])]


def test_middleware_is_asked() -> None:
    store = Store()
    middleware = create_middleware(store)
    middleware.add_will_set_row_callback(lambda _, row_id, row: None if row_id == "felix" else row)
    middleware.add_will_set_cell_callback(lambda *place: place[-1] * 2)
    pets = store.table("pets")
    assert pets.load([{"name": "fido", "price": 5}, {"name": "felix", "price": 1}], id="name").added == 1
    pets.load([{"name": "fido", "price": 6}], id="name")
    assert store.get_table("pets")["fido"]["price"] == 12


def test_rows_without_an_id_get_one_as_add_row_gives() -> None:
    store = Store()
    assert store.table("pets").load([{"a": 1}, {"a": 2}]).row_ids == ("0", "1")
    with YjsMirror(store, create_doc()) as mirror:
        (row_id,) = store.table("pets").load([{"a": 3}]).row_ids
        assert len(row_id) == 16
        other = Store()
        with YjsMirror(other, mirror.doc):
            assert other.same_content(store)


def test_the_encoder_of_a_store_has_the_last_word() -> None:
    store = Store(encode=lambda value: f"<{type(value).__name__}>")
    store.table("t").load([{"a": {1}, "b": 1j}], convert=True)
    assert store.get_row("t", "0") == {"a": [1], "b": "<complex>"}


CELLS = st.one_of(st.none(), st.booleans(), st.integers(-5, 5), st.sampled_from(["", "x"]))
ROWS = st.lists(
    st.fixed_dictionaries(
        {"id": st.sampled_from("abc")}, optional={"x": CELLS, "y": CELLS, "z": st.just(1j)}
    ).filter(lambda row: len(row) > 1),
    max_size=6,
)


@given(ROWS, ROWS, st.sampled_from(["merge", "replace", "ignore"]))
def test_loading_is_what_its_parts_are(before: Any, records: Any, existing: Existing) -> None:
    store, model = Store(), Store()
    for row in before:
        cells = {key: cell for key, cell in row.items() if key not in {"id", "z"}} or {"x": 0}
        store.set_row("t", row["id"], cells)
        model.set_row("t", row["id"], cells)
    is_refused = False
    for record in records:
        row = dict(record)
        row_id = row.pop("id")
        if existing == "ignore" and model.has_row("t", row_id):
            continue
        try:
            if existing == "merge":
                model.set_partial_row("t", row_id, row)
            else:
                model.set_row("t", row_id, row)
        except DataError:
            is_refused = True
            break
    old = store.get_tables()
    if is_refused:
        with pytest.raises(DataError):
            store.table("t").load(records, id="id", existing=existing)
        assert store.get_tables() == old
        return
    summary = store.table("t").load(records, id="id", existing=existing)
    assert store.get_tables() == model.get_tables()
    assert list(store.get_table("t")) == list(model.get_table("t"))
    assert summary.added == len(store.get_table("t")) - len(old.get("t", {}))
    assert sum(summary[:3]) == len(records) == len(summary.row_ids)
    if store.get_tables() == old:
        assert summary.added == 0
