"""Random programs for MergeableStores: drawing them, and running them on weft.

A program is a dictionary: ``stores``, each with ``id``, ``now`` and perhaps ``schema``, ``mutator`` and
``middleware`` (both keep numbers at 50 at most), and ``ops``, each a list of the number of a store, a name
and arguments::

    method, …                   a method of the Store; U+FFFC is what is undefined
    "transaction", end, ops     end: "commit", "rollback" (asked at its end) or "throw"
    "tick", milliseconds        its clock goes on, or back
    "send", other               its content is merged into the other's
    "replace", other            its content replaces the other's
    "deliver", other, number    one of its transactions is merged into the other's
    "diff", other               what the other lacks is found out by hashes, and merged
    "merge", text               content or changes are merged (in JavaScript only)

What a program is to show is the hashes of all stores after each step, what each diff consists of, and in the
end all content, what is visible of it, and the changes of all transactions: all as text.

What weft does differently by decision (docs/mergeable.md) is left out: rollbacks of objects, deletions where
a schema has defaults, schemas set late, different content with empty stamps.
"""

from __future__ import annotations

import random
from contextlib import suppress
from typing import Any, TypeAlias

from weft.mergeable import MergeableStore, from_json, to_json
from weft.store import create_middleware
from weft.values import UNDEFINED, encode_cell

__all__ = ["Program", "generate", "run_on_weft"]

Program: TypeAlias = dict[str, Any]
Op: TypeAlias = list[Any]

_GONE = "\ufffc"
_HIGHEST = 50
_NOW = 1_735_689_600_000
_TABLES, _ROWS, _CELLS, _VALUES = ["t", "u"], ["r1", "r2", "r3"], ["a", "b", "c", "é"], ["v", "w", "x"]
_ADDING = ["set_cell", "set_partial_row", "set_value", "set_partial_values"]
_SCHEMA = [
    {
        "t": {
            "a": {"type": "number", "default": 7},
            "b": {"type": ["number", "string", "boolean", "array", "object"], "allowNull": True},
            "c": {
                "type": ["number", "string", "boolean", "array", "object"],
                "allowNull": True,
                "default": "d",
            },
        }
    },
    {"v": {"type": ["number", "string", "boolean", "array", "object"], "allowNull": True, "default": 1}},
]


class _ThrownError(Exception):
    pass


# -- drawing ---------------------------------------------------------------------------------------------


class _Drawing:
    """What one program may do."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        kind = self.random.choice(["plain", "plain", "rollbacks", "schema", "rules"])
        self.has_rollbacks = kind == "rollbacks"
        self.has_schema = kind == "schema"
        self.has_rules = kind == "rules"
        self.has_objects = not self.has_rollbacks and self.random.random() < 0.5
        self.default = self.random.random() < 0.2
        names = [
            "set_cell",
            "set_cell",
            "set_cell",
            "set_row",
            "set_partial_row",
            "set_value",
            "set_partial_values",
        ]
        if self.has_schema:
            names += ["del_cell", "del_value"]  # which reset what has a default
        else:
            names += [
                "del_cell", "del_cell", "del_row", "set_table", "set_tables", "del_table", "del_tables",
                "set_values", "del_value", "del_values", "set_content", "apply_changes",
            ]  # fmt: skip
            if not self.has_rollbacks:
                names += ["add_row"]
        self.names = self.random.sample(names, self.random.randint(3, len(names)))

    def cell(self) -> Any:
        draw = self.random.random()
        if draw < 0.6:
            return self.random.randint(0, 60 if self.has_rules else 9)
        if draw < 0.7 and self.has_objects:
            return self.random.choice([[], [1, "x", None], {"k": 1.5}, {"k": [True]}])
        return self.random.choice(
            ["", "x", 'é\u2028\\"', "\U0001f600", True, False, None, 0.1, -1e-7, 1e21, 2.5]
        )

    def row(self) -> dict[str, Any]:
        return {c: self.cell() for c in self.random.sample(_CELLS, self.random.randint(1, 3))}

    def table(self) -> dict[str, Any]:
        return {r: self.row() for r in self.random.sample(_ROWS, self.random.randint(1, 2))}

    def tables(self) -> dict[str, Any]:
        return {t: self.table() for t in self.random.sample(_TABLES, self.random.randint(1, 2))}

    def values(self) -> dict[str, Any]:
        return {v: self.cell() for v in self.random.sample(_VALUES, self.random.randint(1, 2))}

    def changes(self) -> list[Any]:
        choice = self.random.choice
        tables: dict[str, Any] = self.tables()
        for table_id, rows in tables.items():
            for row_id, cells in rows.items():
                for cell_id in cells:
                    if self.random.random() < 0.3:
                        cells[cell_id] = _GONE
                if self.random.random() < 0.2:
                    rows[row_id] = _GONE
            if self.random.random() < 0.1:
                tables[table_id] = _GONE
        return [tables, {v: choice([value, _GONE]) for v, value in self.values().items()}, 1]

    def write(self, names: list[str]) -> Op:
        choice, name = self.random.choice, self.random.choice(names)
        t, r, c, v = choice(_TABLES), choice(_ROWS), choice(_CELLS), choice(_VALUES)
        arguments: dict[str, Any] = {
            "set_cell": lambda: [t, r, c, self.cell()],
            "set_row": lambda: [t, r, self.row()],
            "set_partial_row": lambda: [t, r, self.row()],
            "set_value": lambda: [v, self.cell()],
            "set_partial_values": lambda: [self.values()],
            "del_cell": lambda: [t, r, c],
            "del_row": lambda: [t, r],
            "add_row": lambda: [t, self.row()],
            "set_table": lambda: [t, self.table()],
            "set_tables": lambda: [self.tables()],
            "del_table": lambda: [t],
            "del_tables": list,
            "set_values": lambda: [self.values()],
            "del_value": lambda: [v],
            "del_values": list,
            "set_content": lambda: [[self.tables(), self.values()]],
            "apply_changes": lambda: [self.changes()],
        }
        return [name, *arguments[name]()]

    def op(self, names: list[str] | None = None) -> Op:
        names = names or self.names
        if self.random.random() < 0.8:
            return self.write(names)
        end = "commit"
        if self.has_rollbacks:
            end = self.random.choice(["commit", "rollback", "throw"])
            names = (
                _ADDING  # TinyBase restores what was deleted at the end, and so deletes it later next time
            )
        return ["transaction", end, [self.op(names) for _ in range(self.random.randint(1, 4))]]


def generate(seed: int) -> Program:
    """Draw the program of a seed."""
    drawing = _Drawing(seed)
    rand = drawing.random
    stores: list[dict[str, Any]] = []
    for number in range(rand.randint(2, 4)):
        store: dict[str, Any] = {"id": f"s{number}", "now": _NOW + rand.choice([0, 0, 1, 1000, 299_000])}
        if drawing.has_schema and rand.random() < 0.7:
            store["schema"] = _SCHEMA
        if drawing.has_rules:
            store[rand.choice(["mutator", "middleware", "none"])] = True
        stores.append(store)
    ops: list[Op] = []
    if drawing.default and not drawing.has_schema and not drawing.has_rules:
        content = [drawing.tables(), drawing.values()]
        ops += [[at, "set_default_content", content] for at in range(len(stores)) if rand.random() < 0.6]
    for _ in range(rand.randint(4, 16)):
        at = rand.randrange(len(stores))
        other = rand.choice([number for number in range(len(stores)) if number != at])
        draw = rand.random()
        if draw < 0.65:
            is_free = drawing.has_schema and "schema" not in stores[at]
            ops.append([at, *drawing.op(_ADDING if is_free else None)])
        elif draw < 0.72:
            ops.append([at, "tick", rand.choice([1, 1, 2, 70, -1])])
        elif draw < 0.82:
            ops.append([at, "send", other])
        elif draw < 0.92:
            ops.append([at, "deliver", other, rand.randrange(10)])
        elif draw < 0.98 or drawing.has_schema:
            ops.append([at, "diff", other])
        else:
            ops.append([at, "replace", other])
    return {"seed": seed, "stores": stores, "ops": ops}


# -- running ---------------------------------------------------------------------------------------------


def _clamp(cell: Any) -> Any:
    return _HIGHEST if type(cell) in {int, float} and cell > _HIGHEST else cell


def _given(argument: Any) -> Any:
    """An argument with ``UNDEFINED`` for its mark."""
    if argument == _GONE:
        return UNDEFINED
    if isinstance(argument, dict):
        return {key: _given(item) for key, item in argument.items()}
    return [_given(item) for item in argument] if isinstance(argument, list) else argument


def _encoded(changes: Any) -> Any:
    """Changes as synchronizers have them: objects as text."""

    def things(stamp: Any) -> Any:
        return [
            {
                id_: [encode_cell(thing[0]) if isinstance(thing[0], (list, dict)) else thing[0], *thing[1:]]
                for id_, thing in stamp[0].items()
            },
            *stamp[1:],
        ]

    tables = {t: [{r: things(row) for r, row in rows[0].items()}] for t, rows in changes[0][0].items()}
    return [[tables], things(changes[1]), 1]


class _Peer:
    """A MergeableStore with what belongs to it in a program."""

    def __init__(self, options: dict[str, Any]) -> None:
        self.now: int = options["now"]
        self.messages: list[str] = []
        self.store = store = MergeableStore(
            options["id"],
            get_now=lambda: self.now,
            on_invalid="ignore",
            row_ids="counter",
            on_error=lambda _: None,
        )
        self.document = store.document
        if "schema" in options:
            store.set_schema(*options["schema"])
        if "mutator" in options:
            store.add_cell_listener(None, None, None, self._clamp, True)
        if "middleware" in options:
            create_middleware(store).add_will_set_cell_callback(lambda *args: _clamp(args[3]))
        store.add_did_finish_transaction_listener(self._finished)

    def _clamp(self, _: object, table_id: str, row_id: str, cell_id: str, cell: Any, *__: object) -> None:
        if _clamp(cell) is not cell:
            self.store.set_cell(table_id, row_id, cell_id, _clamp(cell))

    def _finished(self, _: object) -> None:
        changes = to_json(_encoded(self.store.get_transaction_mergeable_changes()))
        if changes != "[[{}],[{}],1]":
            self.messages.append(changes)

    def run(self, name: str, *args: Any) -> None:
        if name != "transaction":
            getattr(self.store, name)(*_given(list(args)))
            return
        end, inner = args

        def act() -> None:
            for op in inner:
                self.run(*op)
            if end == "throw":
                raise _ThrownError

        with suppress(_ThrownError):
            self.store.transaction(act, lambda _: end == "rollback")

    def merge(self, text: str) -> None:
        self.store.apply_mergeable_changes(from_json(text))

    def lacks(self, other: _Peer) -> list[str]:
        """What the other one has and this has not: parts of tables, and values, as text."""
        here, there = self.document, other.document
        tables, differing = there.get_table_diff(here.get_table_hashes())
        rows, differing = there.get_row_diff(here.get_row_hashes(differing))
        cells = there.get_cell_diff(here.get_cell_hashes(differing))
        values = there.get_value_diff(here.get_value_hashes())
        return [to_json(part) for part in (tables, rows, cells, values)]


def run_on_weft(program: Program) -> list[Any]:
    """Run a program; gives what it is to show."""
    peers = [_Peer(options) for options in program["stores"]]
    trace: list[Any] = []
    for at, name, *args in program["ops"]:
        peer = peers[at]
        if name == "tick":
            peer.now += args[0]
        elif name == "send":
            peers[args[0]].merge(peer.document.content_text())
        elif name == "replace":
            peers[args[0]].store.set_mergeable_content(from_json(peer.document.content_text()))
        elif name == "deliver":
            if peer.messages:
                peers[args[0]].merge(peer.messages[args[1] % len(peer.messages)])
        elif name == "diff":
            parts = peers[args[0]].lacks(peer)
            trace.append(parts)
            for part in parts[:3]:
                peers[args[0]].merge(f"[{part},[{{}}],1]")
            peers[args[0]].merge(f"[[{{}}],{parts[3]},1]")
        else:
            peer.run(name, *args)
        trace.append([each.document.get_content_hashes() for each in peers])
    return trace + [[peer.document.content_text(), peer.store.get_json(), peer.messages] for peer in peers]
