"""The Store against plain dictionaries: random programs, compared after every step.

The model has no cleverness: nested dictionaries in order of insertion, a deep copy for the way back. Two
machines run the same rules, one for each way of treating data that cannot be stored.
"""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import settings, strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from weft import UNDEFINED, Store
from weft.errors import DataError
from weft.values import EncodedCell, is_same

Tables = dict[str, dict[str, dict[str, Any]]]

# Ids that trip implementations in JavaScript, in paths, in UTF-8 and in dictionaries; few, so that they meet.
TABLE_IDS = st.sampled_from(["pets", "", "__proto__"])
ROW_IDS = st.sampled_from(["0", "1", "fido", "a.b", "é", "e\u0301"])
CELL_IDS = st.sampled_from(["a", "b", "constructor", "\0x", "日本" * 50])
VALUE_IDS = st.sampled_from(["open", "", "toString"])
CELLS = st.sampled_from(
    [
        *(0, 1, True, False, None, "", "a", "1", 1.5, -0.0, 2.0, 2**53 - 1, -(2**53 - 1)),
        *(
            1e308,
            5e-324,
            1e21,
            "𝄞",
            "\ufffcx",
            [],
            {},
            [1, [2.0]],
            {"b": 1, "a": None},
            {"a": None, "b": 1.0},
        ),
    ]
)
BAD_CELLS = st.sampled_from(
    [
        float("nan"),
        float("inf"),
        2**53,
        -(2**53),
        "\ufffc",
        "\ufffdx",
        "\ud800",
        b"x",
        object(),
        {1: 2},
        [{1}],
    ]
)
ROWS = st.dictionaries(CELL_IDS, CELLS, min_size=1, max_size=4)
TABLES_OF_ROWS = st.dictionaries(ROW_IDS, ROWS, min_size=1, max_size=3)
ALL_TABLES = st.dictionaries(TABLE_IDS, TABLES_OF_ROWS, min_size=1, max_size=3)
ALL_VALUES = st.dictionaries(VALUE_IDS, CELLS, min_size=1, max_size=3)
SCHEMAS = st.sampled_from(
    [
        {"pets": {"a": {"type": "number"}, "b": {"type": ["string", "boolean"]}}},
        {"": {"a": {"type": "object", "allowNull": True}, "\0x": {"enum": [1, True, "a"]}}},
    ]
)


def normal(cell: Any) -> Any:
    """The one form of a number, at all depths."""
    if isinstance(cell, float) and cell.is_integer() and abs(cell) <= 2**53 - 1:
        return int(cell)
    if isinstance(cell, list):
        return [normal(item) for item in cell]
    if isinstance(cell, dict):
        return {key: normal(item) for key, item in cell.items()}
    return cell


def same(a: Any, b: Any) -> bool:
    """JSON equality that tells True from 1; the text of JSON does."""
    if a is UNDEFINED or b is UNDEFINED:
        return a is b
    return json.dumps(normal(a), sort_keys=True) == json.dumps(normal(b), sort_keys=True)


def flat(tables: Tables) -> dict[tuple[str, str, str], Any]:
    return {
        (table_id, row_id, cell_id): cell
        for table_id, rows in tables.items()
        for row_id, cells in rows.items()
        for cell_id, cell in cells.items()
    }


def ordered(tables: Tables) -> str:
    """Content and the order of all ids."""
    return json.dumps([[t, [[r, list(c.items())] for r, c in rows.items()]] for t, rows in tables.items()])


TYPES: dict[str, tuple[type, ...]] = {
    "number": (int, float),
    "string": (str,),
    "boolean": (bool,),
    "object": (dict,),
    "array": (list,),
}


class StoreMachine(RuleBasedStateMachine):
    """Rules over a Store and its model."""

    mode: Any = "ignore"
    open_transactions = Bundle("open_transactions")

    @initialize()
    def start(self) -> None:
        self.store = Store(on_invalid=self.mode)
        self.tables: Tables = {}
        self.values: dict[str, Any] = {}
        self.pools: dict[str, tuple[list[str], int]] = {}
        self.schema: dict[str, Any] | None = None
        self.depth = 0
        self.before: Any = None
        self.events: list[tuple[str, str, str, Any, Any]] = []
        self.value_events: list[tuple[str, Any, Any]] = []
        self.finished: list[Any] = []
        self.put_out: set[Any] = set()
        self.schema_was_set = False
        self.listeners: list[str] = []
        self.watch()

    def watch(self) -> None:
        store = self.store

        def on_cell(*args: Any) -> None:
            t, r, c, new, old, change = args[1:]
            assert change(t, r, c) == (True, old, new)
            self.events.append((t, r, c, old, new))

        def on_value(_: Store, v: str, new: Any, old: Any, __: object) -> None:
            self.value_events.append((v, old, new))

        def did(_: Store) -> None:
            seam = store._stored_changes(), store._removed(), store._refused_by_schemas()
            self.finished.append((store.get_transaction_changes(), *seam))

        self.listeners = [
            store.add_cell_listener(None, None, None, on_cell),
            store.add_value_listener(None, on_value),
            store.add_did_finish_transaction_listener(did),
        ]

    # The model's own rules.

    def fits(self, table_id: str, cell_id: str, cell: Any) -> bool:
        if self.schema is None:
            return True
        rule_ = self.schema.get(table_id, {}).get(cell_id)
        if rule_ is None:
            return False
        if cell is None:
            return bool(rule_.get("allowNull"))
        if "enum" in rule_:
            return any(same(cell, choice) for choice in rule_["enum"])
        types = rule_["type"] if isinstance(rule_["type"], list) else [rule_["type"]]
        return any(type(cell) in TYPES[name] for name in types)

    def kept(self, table_id: str, row: dict[str, Any]) -> dict[str, Any]:
        return {c: normal(cell) for c, cell in row.items() if self.fits(table_id, c, cell)}

    def put(self, table_id: str, row_id: str, cell_id: str, cell: Any) -> None:
        row = self.tables.setdefault(table_id, {}).setdefault(row_id, {})
        if cell_id not in row or not same(row[cell_id], cell):
            row[cell_id] = normal(cell)

    def cut_row(self, table_id: str, row_id: str) -> None:
        del self.tables[table_id][row_id]
        if not self.tables[table_id]:
            del self.tables[table_id]
            self.pools.pop(table_id, None)

    def cut_cell(self, table_id: str, row_id: str, cell_id: str) -> None:
        del self.tables[table_id][row_id][cell_id]
        if not self.tables[table_id][row_id]:
            self.cut_row(table_id, row_id)

    def replace_row(self, table_id: str, row_id: str, row: dict[str, Any]) -> None:
        for cell_id, cell in row.items():
            self.put(table_id, row_id, cell_id, cell)
        for cell_id in list(self.tables[table_id][row_id]):
            if cell_id not in row:
                self.cut_cell(table_id, row_id, cell_id)

    def give_back(self, table_id: str, row_id: str) -> None:
        if row_id.isdigit():
            free, following = self.pools.get(table_id, ([], 0))
            self.pools[table_id] = ([*free, row_id], following)

    def replace_table(self, table_id: str, rows: dict[str, dict[str, Any]]) -> None:
        for row_id, row in rows.items():
            self.replace_row(table_id, row_id, row)
        for row_id in list(self.tables.get(table_id, ())):
            if row_id not in rows:
                self.give_back(table_id, row_id)
                self.cut_row(table_id, row_id)

    def drop_table(self, table_id: str) -> None:
        if table_id in self.tables:
            del self.tables[table_id]
            self.pools.pop(table_id, None)

    def replace_tables(self, tables: Tables) -> None:
        for table_id, rows in tables.items():
            self.replace_table(table_id, rows)
        for table_id in list(self.tables):
            if table_id not in tables:
                self.drop_table(table_id)

    def valid_tables(self, tables: Tables) -> Tables:
        valid = {
            t: {r: cells for r, row in rows.items() if (cells := self.kept(t, row))}
            for t, rows in tables.items()
        }
        return {t: rows for t, rows in valid.items() if rows}

    # Running a write on both.

    def refuses(self, write: Any, allowed: bool) -> bool:
        """Run a write; tell whether it was refused, which must be as expected in raise mode."""
        if self.mode == "ignore":
            write()
            return False
        if allowed:
            write()
            return False
        with pytest.raises(DataError):
            write()
        return True

    def check_after(self) -> None:
        """After an outermost write: the listeners heard exactly the difference."""
        if self.depth:
            return
        old_tables, old_values = self.before
        old, new = flat(old_tables), flat(self.tables)
        expected = {
            path: (old.get(path, UNDEFINED), new.get(path, UNDEFINED))
            for path in {**old, **new}
            if not same(old.get(path, UNDEFINED), new.get(path, UNDEFINED))
        }
        heard = {(t, r, c): (o, n) for t, r, c, o, n in self.events}
        assert len(heard) == len(self.events), "each path is told once"
        assert heard.keys() == expected.keys()
        assert all(same(heard[path][i], expected[path][i]) for path in heard for i in (0, 1))
        expected_values = {
            v: (old_values.get(v, UNDEFINED), self.values.get(v, UNDEFINED))
            for v in {**old_values, **self.values}
            if not same(old_values.get(v, UNDEFINED), self.values.get(v, UNDEFINED))
        }
        heard_values = {v: (o, n) for v, o, n in self.value_events}
        assert len(heard_values) == len(self.value_events)
        assert heard_values == expected_values
        for changes, (cells, values), (table_ids, row_ids), refused in self.finished:
            self.check_changes(changes, expected)
            stored = {
                (t, r, c): cell.decode() if isinstance(cell, EncodedCell) else cell
                for (t, r, c), cell in flat(cells).items()
            }
            # What a schema put out has been deleted by nobody, unless it was written since.
            assert expected.keys() - stored.keys() <= self.put_out
            assert self.schema_was_set or stored.keys() == expected.keys()
            assert all(same(stored[path], new.get(path, UNDEFINED)) for path in stored)
            assert {path[:3] for path in refused} <= self.put_out
            assert not {path[:3] for path in refused} & stored.keys()
            assert values.keys() == expected_values.keys()
            assert all(table_id not in self.tables for table_id in table_ids)
            assert all(r not in self.tables.get(t, {}) for t, r in row_ids)
        self.begin_watch()

    def check_changes(self, changes: Any, expected: Any) -> None:
        """Net changes on the old content give the new, and delete at the highest level."""
        tables: Any = copy.deepcopy(self.before[0])
        for table_id, rows in changes[0].items():
            if rows is UNDEFINED:
                del tables[table_id]
                continue
            for row_id, cells in rows.items():
                if cells is UNDEFINED:
                    del tables[table_id][row_id]
                    continue
                row = tables.setdefault(table_id, {}).setdefault(row_id, {})
                for cell_id, cell in cells.items():
                    if cell is UNDEFINED:
                        del row[cell_id]
                    else:
                        row[cell_id] = cell
        assert same(tables, self.tables)
        values = copy.deepcopy(self.before[1])
        for value_id, value in changes[1].items():
            if value is UNDEFINED:
                del values[value_id]
            else:
                values[value_id] = value
        assert same(values, self.values)
        assert bool(changes[0]) == bool(expected)

    def begin_watch(self) -> None:
        self.events.clear()
        self.value_events.clear()
        self.finished.clear()
        self.put_out.clear()
        self.schema_was_set = False

    def run(self, write: Any, allowed: bool = True) -> bool:
        if not self.depth:
            self.before = copy.deepcopy((self.tables, self.values))
            self.begin_watch()
        return not self.refuses(write, allowed)

    # Writes.

    @rule(t=TABLE_IDS, r=ROW_IDS, c=CELL_IDS, cell=CELLS, mapped=st.booleans())
    def set_cell(self, t: str, r: str, c: str, cell: Any, mapped: bool) -> None:
        fits = self.fits(t, c, cell)
        given = (lambda _: cell) if mapped else cell
        if self.run(lambda: self.store.set_cell(t, r, c, given), fits) and fits:
            self.put(t, r, c, cell)
        self.check_after()

    @rule(t=TABLE_IDS, r=ROW_IDS, c=CELL_IDS, cell=BAD_CELLS)
    def set_bad_cell(self, t: str, r: str, c: str, cell: Any) -> None:
        self.run(lambda: self.store.set_cell(t, r, c, cell), False)
        self.check_after()

    @rule(t=TABLE_IDS, r=st.sampled_from([1, None, "\udfff", b"r"]), cell=CELLS)
    def set_cell_under_a_bad_id(self, t: str, r: Any, cell: Any) -> None:
        self.run(lambda: self.store.set_cell(t, r, "a", cell), False)
        self.check_after()

    @rule(t=TABLE_IDS, r=ROW_IDS, row=ROWS, partial=st.booleans())
    def set_row(self, t: str, r: str, row: dict[str, Any], partial: bool) -> None:
        kept = self.kept(t, row)
        method = self.store.set_partial_row if partial else self.store.set_row
        if self.run(lambda: method(t, r, row), len(kept) == len(row)) and kept:
            if partial:
                for cell_id, cell in kept.items():
                    self.put(t, r, cell_id, cell)
            else:
                self.replace_row(t, r, kept)
        self.check_after()

    @rule(t=TABLE_IDS, row=ROWS, reuse=st.booleans())
    def add_row(self, t: str, row: dict[str, Any], reuse: bool) -> None:
        kept = self.kept(t, row)
        ids: list[str | None] = []
        if self.run(lambda: ids.append(self.store.add_row(t, row, reuse)), len(kept) == len(row)):
            if not kept:
                assert ids == [None]
            else:
                free, following = self.pools.get(t, ([], 0))
                free = list(free)
                while True:
                    if reuse and free:
                        row_id = free.pop(0)
                    else:
                        row_id = str(following)
                        following += 1
                    if row_id not in self.tables.get(t, {}):
                        break
                assert ids == [row_id]
                self.pools[t] = (free, following)
                self.replace_row(t, row_id, kept)
        self.check_after()

    @rule(t=TABLE_IDS, rows=TABLES_OF_ROWS)
    def set_table(self, t: str, rows: dict[str, dict[str, Any]]) -> None:
        valid = self.valid_tables({t: rows})
        if self.run(lambda: self.store.set_table(t, rows), same(normal(rows), valid.get(t))) and valid:
            self.replace_table(t, valid[t])
        self.check_after()

    @rule(
        tables=ALL_TABLES, how=st.sampled_from(["set_tables", "set_content", "set_json", "set_tables_json"])
    )
    def set_tables(self, tables: Tables, how: str) -> None:
        valid = self.valid_tables(tables)
        writer = Store().set_tables(tables)
        if "json" in how:
            # JavaScript's objects have array indices first.
            valid = {
                t: {r: rows[r] for r in sorted(rows, key=lambda r: (not r.isdigit(), r.isdigit() and int(r)))}
                for t, rows in valid.items()
            }
        write = {
            "set_tables": lambda: self.store.set_tables(tables),
            "set_content": lambda: self.store.set_content((tables, self.store.get_values())),
            "set_json": lambda: self.store.set_json(
                f"[{writer.get_tables_json()},{self.store.get_values_json()}]"
            ),
            "set_tables_json": lambda: self.store.set_tables_json(writer.get_tables_json()),
        }[how]
        if self.run(write, same(normal(tables), valid)) and valid:
            self.replace_tables(valid)
        self.check_after()

    @rule(
        t=TABLE_IDS,
        r=ROW_IDS,
        c=CELL_IDS,
        cell=CELLS | st.just(UNDEFINED),
        v=VALUE_IDS,
        value=CELLS | st.just(UNDEFINED),
        what=st.sampled_from(["cell", "row", "table"]),
    )
    def apply_changes(self, t: str, r: str, c: str, cell: Any, v: str, value: Any, what: str) -> None:
        tables: Any = {
            "cell": {t: {r: {c: cell}}},
            "row": {t: {r: UNDEFINED}},
            "table": {t: UNDEFINED},
        }[what]
        fits = what != "cell" or cell is UNDEFINED or self.fits(t, c, cell)
        if self.run(lambda: self.store.apply_changes((tables, {v: value}, 1)), fits):
            self.apply(what, t, r, c, cell, fits)
            self.apply_value(v, value)
        self.check_after()

    def apply(self, what: str, t: str, r: str, c: str, cell: Any, fits: bool) -> None:
        if what == "table":
            self.drop_table(t)
        elif what == "row" and r in self.tables.get(t, {}):
            self.give_back(t, r)
            self.cut_row(t, r)
        elif what == "cell" and cell is UNDEFINED:
            if c in self.tables.get(t, {}).get(r, {}):
                self.cut_cell(t, r, c)
        elif what == "cell" and fits:
            self.put(t, r, c, cell)

    def apply_value(self, v: str, value: Any) -> None:
        if value is UNDEFINED:
            self.values.pop(v, None)
        elif v not in self.values or not same(self.values[v], value):
            self.values[v] = normal(value)

    @rule(
        t=TABLE_IDS,
        r=ROW_IDS,
        cells=st.dictionaries(CELL_IDS, CELLS | BAD_CELLS | st.just(UNDEFINED), max_size=3),
        v=VALUE_IDS,
        value=CELLS | st.just(UNDEFINED),
    )
    def receive(self, t: str, r: str, cells: dict[str, Any], v: str, value: Any) -> None:
        def write() -> None:
            with self.store.transaction(origin=self):
                assert self.store.transaction_origin is self or self.depth
                self.store._apply_stored({t: {r: cells}}, {v: value})

        self.run(write)
        for cell_id, cell in cells.items():
            if cell is not UNDEFINED and self.storable(cell) and self.fits(t, cell_id, cell):
                self.put(t, r, cell_id, cell)
            elif cell_id in self.tables.get(t, {}).get(r, {}):
                self.cut_cell(t, r, cell_id)  # what a peer has and the Store cannot is absent here
        self.apply_value(v, value)
        self.check_after()

    @staticmethod
    def storable(cell: Any) -> bool:
        try:
            Store().set_cell("t", "r", "c", cell)
        except DataError:
            return False
        return True

    @rule(v=VALUE_IDS, value=CELLS)
    def set_value(self, v: str, value: Any) -> None:
        self.run(lambda: self.store.set_value(v, value))
        self.apply_value(v, value)
        self.check_after()

    @rule(values=ALL_VALUES, how=st.sampled_from(["set_values", "set_partial_values", "set_values_json"]))
    def set_values(self, values: dict[str, Any], how: str) -> None:
        if how == "set_values_json":
            self.run(lambda: self.store.set_values_json(Store().set_values(values).get_values_json()))
        elif how == "set_values":
            self.run(lambda: self.store.set_values(values))
        else:
            self.run(lambda: self.store.set_partial_values(values))
        for value_id, value in values.items():
            self.apply_value(value_id, value)
        if how != "set_partial_values":
            for value_id in list(self.values):
                if value_id not in values:
                    del self.values[value_id]
        self.check_after()

    @rule(v=VALUE_IDS, everything=st.booleans())
    def del_value(self, v: str, everything: bool) -> None:
        if everything:
            self.run(self.store.del_values)
            self.values.clear()
        else:
            self.run(lambda: self.store.del_value(v))
            self.values.pop(v, None)
        self.check_after()

    @rule(t=TABLE_IDS, r=ROW_IDS, c=CELL_IDS, force=st.booleans())
    def del_cell(self, t: str, r: str, c: str, force: bool) -> None:
        self.run(lambda: self.store.del_cell(t, r, c, force))
        if c in self.tables.get(t, {}).get(r, {}):
            self.cut_cell(t, r, c)
        self.check_after()

    @rule(t=TABLE_IDS, r=ROW_IDS)
    def del_row(self, t: str, r: str) -> None:
        self.run(lambda: self.store.del_row(t, r))
        if r in self.tables.get(t, {}):
            self.give_back(t, r)
            self.cut_row(t, r)
        self.check_after()

    @rule(t=TABLE_IDS, everything=st.booleans())
    def del_table(self, t: str, everything: bool) -> None:
        if everything:
            self.run(self.store.del_tables)
            self.tables.clear()
            self.pools.clear()
        else:
            self.run(lambda: self.store.del_table(t))
            self.drop_table(t)
        self.check_after()

    # Schemas.

    @rule(schema=SCHEMAS)
    def set_schema(self, schema: Any) -> None:
        self.run(lambda: self.store.set_tables_schema(schema))
        self.schema = schema
        valid = self.valid_tables(self.tables)
        self.schema_was_set = True
        kept = flat(valid)
        self.put_out |= {
            path for path, cell in flat(self.tables).items() if not same(cell, kept.get(path, UNDEFINED))
        }
        if self.tables:
            self.tables = {}
            self.pools = {}
            if self.mode == "ignore":
                key = lambda r: (not r.isdigit(), r.isdigit() and int(r))  # noqa: E731
                valid = {t: {r: rows[r] for r in sorted(rows, key=key)} for t, rows in valid.items()}
            self.replace_tables(valid)
        self.check_after()

    @rule()
    def del_schema(self) -> None:
        self.run(self.store.del_schema)
        self.schema = None
        self.check_after()

    # Transactions.

    @rule(target=open_transactions)
    @precondition(lambda self: self.depth < 3)
    def begin(self) -> Any:
        snapshot = copy.deepcopy((self.tables, self.values, self.pools, self.schema))
        counts = {t: list(self.store.get_table_cell_ids(t)) for t in self.tables}
        if not self.depth:
            self.before = copy.deepcopy((self.tables, self.values))
            self.begin_watch()
            self.outermost = (snapshot, counts)
        self.store.start_transaction()
        self.depth += 1
        return snapshot

    @rule(_=consumes(open_transactions))
    @precondition(lambda self: self.depth > 0)
    def finish(self, _: Any) -> None:
        self.depth -= 1
        self.store.finish_transaction()
        self.check_after()

    @rule(_=consumes(open_transactions), by_error=st.booleans())
    @precondition(lambda self: self.depth == 1)
    def roll_back(self, _: Any, by_error: bool) -> None:
        self.depth = 0
        if by_error:

            def fail() -> None:
                raise ZeroDivisionError

            with pytest.raises(ZeroDivisionError):
                self.store.transaction(fail)
            assert self.store.get_transaction_changes() is not None
            self.store.finish_transaction()
        else:
            self.store.finish_transaction(lambda _: True)
        (self.tables, self.values, self.pools, self.schema), counts = copy.deepcopy(self.outermost)
        assert self.events == []
        assert {t: self.store.get_table_cell_ids(t) for t in self.tables} == counts
        self.check_after()

    # Reading.

    @invariant()
    def content_is_the_models_in_content_and_order(self) -> None:
        store = self.store
        tables, values = store.get_content()
        assert ordered(tables) == ordered(self.tables), (ordered(tables), ordered(self.tables))
        assert json.dumps(values) == json.dumps(self.values)
        assert all(rows and all(rows.values()) for rows in tables.values()), "no empty container survives"
        assert store.get_table_ids() == list(self.tables)
        for table_id, rows in self.tables.items():
            assert store.get_row_ids(table_id) == list(rows)
            assert store.get_row_count(table_id) == len(rows)
            counts: dict[str, int] = {}
            store.for_each_table_cell(table_id, counts.__setitem__)
            used = [cell_id for row in rows.values() for cell_id in row]
            assert counts == {cell_id: used.count(cell_id) for cell_id in used}

    @invariant()
    def json_reads_back(self) -> None:
        if not self.depth:
            again = Store().set_json(self.store.get_json())
            assert same(again.get_content(), self.store.get_content())
            assert all(
                is_same(a, b)
                for path, a in flat(again._tables).items()
                for b in [flat(self.store._tables)[path]]
            )


class RaisingMachine(StoreMachine):
    """The same with ``on_invalid="raise"``."""

    mode = "raise"


@pytest.mark.parametrize("machine", [StoreMachine, RaisingMachine])
def test_the_store_does_what_plain_dictionaries_do(machine: type[StoreMachine]) -> None:
    run_state_machine_as_test(machine, settings=settings(max_examples=50, stateful_step_count=40))


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("machine", [StoreMachine, RaisingMachine])
def test_the_store_does_what_plain_dictionaries_do_for_long(machine: type[StoreMachine]) -> None:
    run_state_machine_as_test(machine, settings=settings(max_examples=5_000, stateful_step_count=80))
