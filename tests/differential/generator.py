"""Draws programs (language.py) at random, each from its seed alone.

Swarm style: every program draws its own features and its own weights of operations, so that some
programs do one thing all the time and others a little of everything.

What is left out on purpose, because weft differs there by decision, is named in
docs/tinybase-differences.md; test_differences.py shows each of these differences.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from differential.drawing import Drawing
from differential.language import odd

if TYPE_CHECKING:
    from collections.abc import Callable

    from differential.language import Op, Program, Value

__all__ = ["generate"]

# Ids each kind of listener takes.
KINDS = {
    "has_tables": "", "tables": "", "table_ids": "", "has_table": "t", "table": "t", "table_cell_ids": "t",
    "has_table_cell": "tc", "row_count": "t", "row_ids": "t", "sorted_row_ids": "", "has_row": "tr",
    "row": "tr", "cell_ids": "tr", "has_cell": "trc", "cell": "trc", "invalid_cell": "trc",
    "has_values": "", "values": "", "value_ids": "", "has_value": "v", "value": "v", "invalid_value": "v",
    "start_transaction": "", "will_finish_transaction": "", "did_finish_transaction": "",
}  # fmt: skip
TRANSACTION_KINDS = {"start_transaction", "will_finish_transaction", "did_finish_transaction"}
WILL = {
    "will_set_content": "", "will_set_tables": "", "will_set_table": "t", "will_set_row": "tr",
    "will_set_cell": "trc", "will_set_values": "", "will_set_value": "v", "will_del_tables": "",
    "will_del_table": "t", "will_del_row": "tr", "will_del_cell": "trc", "will_del_values": "",
    "will_del_value": "v", "will_apply_changes": "",
}  # fmt: skip

GETTERS = {
    "get_content": "", "get_tables": "", "get_table_ids": "", "get_table": "t", "get_table_cell_ids": "t",
    "get_row_count": "t", "get_row_ids": "t", "get_row": "tr", "get_cell_ids": "tr", "get_cell": "trc",
    "get_values": "", "get_value_ids": "", "get_value": "v", "has_tables": "", "has_table": "t",
    "has_table_cell": "tc", "has_row": "tr", "has_cell": "trc", "has_values": "", "has_value": "v",
    "get_tables_json": "", "get_values_json": "", "get_json": "", "get_tables_schema_json": "",
    "get_values_schema_json": "", "get_schema_json": "", "has_tables_schema": "", "has_values_schema": "",
    "get_transaction_changes": "", "get_transaction_log": "", "get_listener_stats": "", "is_mergeable": "",
}  # fmt: skip

# Operations by feature; "always" is in every program.
FEATURES: dict[str, list[str]] = {
    "always": ["set_cell", "set_cell", "set_row", "set_partial_row", "del_cell", "del_row", "getter"],
    "values": ["set_value", "set_values", "set_partial_values", "del_value", "del_values"],
    "tables": ["set_table", "set_tables", "del_table", "del_tables", "set_content", "apply_changes"],
    "pool": ["add_row", "add_row", "del_row"],
    "mappers": ["map_cell", "map_value"],
    "json": ["set_json", "set_tables_json", "set_values_json"],
    "schema": ["set_tables_schema", "set_values_schema", "set_schema", "del_schema"],
    "listeners": ["add_listener", "add_listener", "add_listener", "del_listener", "call_listener"],
    "transactions": ["transaction", "transaction", "start_transaction", "finish_transaction"],
    "sorting": ["get_sorted_row_ids", "get_sorted_row_ids"],
    "each": ["for_each"],
    "middleware": ["middleware", "middleware"],
    "checkpoints": ["checkpoints", "checkpoints", "checkpoints", "checkpoint_listener"],
}
LIKELIHOOD = {
    "always": 1.0, "values": 0.7, "tables": 0.7, "pool": 0.4, "mappers": 0.3, "json": 0.35, "schema": 0.35,
    "listeners": 0.85, "transactions": 0.65, "sorting": 0.3, "each": 0.2, "middleware": 0.15,
    "checkpoints": 0.15,
}  # fmt: skip


class _Generator(Drawing):
    """One program in the making."""

    def __init__(self, seed: int, size: int) -> None:
        draw = random.Random(seed)
        super().__init__(draw, {name for name, odds in LIKELIHOOD.items() if draw.random() < odds})
        self.size = size
        self.mutators = self.chance(0.6)
        self.rollbacks = self.chance(0.5)
        self.wild = draw.choice([0.2, 0.5, 0.9])
        names = [name for feature in FEATURES if feature in self.features for name in FEATURES[feature]]
        self.names = sorted(set(names))
        self.weights = [names.count(name) * draw.choice([0, 1, 1, 2, 6]) for name in self.names]
        if not any(self.weights):
            self.weights = [1] * len(self.names)
        self.labels = 0
        self.sorted_listeners = 0
        self.depth = 0
        self.called_back = False
        # TinyBase's goTo does not end where a callback moves to another checkpoint meanwhile.
        self.going_to = self.chance(0.5)

    def label(self, prefix: str) -> str:
        self.labels += 1
        return f"{prefix}#{self.labels}"

    # --- Operations -------------------------------------------------------------------------------

    def op(self) -> Op:
        return self.build(self.random.choices(self.names, self.weights)[0])

    def build(self, name: str) -> Op:
        draw = self.random
        match name:
            case "getter":
                getter = draw.choice(list(GETTERS))
                return {"op": getter, "args": self.path(GETTERS[getter])}
            case "set_cell":
                return {"op": name, "args": [*self.path("trc"), self.value()]}
            case "map_cell":
                return {"op": "set_cell", "args": [*self.path("trc"), self.mapper()]}
            case "map_value":
                return {"op": "set_value", "args": [self.id("v"), self.mapper()]}
            case "set_row" | "set_partial_row":
                return {"op": name, "args": [*self.path("tr"), self.row()]}
            case "add_row":
                return {
                    "op": name,
                    "args": [self.id("t"), self.row(), *([False] if self.chance(0.2) else [])],
                }
            case "set_table":
                return {"op": name, "args": [self.id("t"), self.table()]}
            case "set_tables":
                return {"op": name, "args": [self.tables()]}
            case "set_values" | "set_partial_values":
                return {"op": name, "args": [self.values()]}
            case "set_value":
                return {"op": name, "args": [self.id("v"), self.value()]}
            case "set_content":
                content = self.content()
                mapped = self.chance(0.2)
                return {"op": name, "args": [odd("mapper", do="const", v=content) if mapped else content]}
            case "apply_changes":
                return {"op": name, "args": [self.changes()]}
            case "del_cell":
                return {"op": name, "args": [*self.path("trc"), *([True] if self.chance(0.3) else [])]}
            case "del_row":
                return {"op": name, "args": self.path("tr")}
            case "del_table":
                return {"op": name, "args": [self.id("t")]}
            case "del_value":
                return {"op": name, "args": [self.id("v")]}
            case "set_json":
                both = self.chance(0.8)
                text = self.json([self.tables(), self.values()] if both else self.tables())
                # TinyBase takes the first two characters of a JSON string for tables and values.
                return {"op": name, "args": ["{}" if text == '"ab"' else text]}
            case "set_tables_json":
                return {"op": name, "args": [self.json(self.tables())]}
            case "set_values_json":
                return {"op": name, "args": [self.json(self.values())]}
            case "set_tables_schema":
                return {"op": name, "args": [self.tables_schema()]}
            case "set_values_schema":
                return {"op": name, "args": [self.values_schema()]}
            case "set_schema":
                return {"op": name, "args": [self.tables_schema(), self.values_schema()]}
            case "del_schema":
                return {"op": draw.choice(["del_schema", "del_tables_schema", "del_values_schema"])}
            case "add_listener":
                return self.add_listener()
            case "del_listener" | "call_listener":
                return {"op": name, "args": [str(draw.randint(0, 6))]}
            case "transaction":
                return self.transaction()
            case "finish_transaction":
                return {"op": name, "rollback": self.rollback()}
            case "get_sorted_row_ids":
                sort = self.sort()
                return {"op": name, "sort": sort, "form": self.form(sort)}
            case "for_each":
                level, levels = draw.choice(
                    [("table", ""), ("table_cell", "t"), ("row", "t"), ("cell", "tr"), ("value", "")]
                )
                return {"op": name, "level": level, "args": self.path(levels)}
            case "middleware":
                return self.will()
            case "checkpoints":
                return self.checkpoints()
            case "checkpoint_listener":
                kind = draw.choice(["checkpoint_ids", "checkpoint"])
                ids = [] if kind == "checkpoint_ids" else [draw.choice([None, "0", "1", "2"])]
                return {"op": name, "kind": kind, "ids": ids, "label": self.label(kind)}
            case _:  # del_tables, del_values, start_transaction
                return {"op": name}

    def mapper(self) -> Value:
        if self.throws and self.chance(0.15):
            return odd("mapper", do="old", throw=self.label("mapper"))
        match self.random.choice(["old", "increment", "const"]):
            case "const":
                return odd("mapper", do="const", v=self.value())
            case do:
                return odd("mapper", do=do)

    def nested(self, most: int, given: str = "", *, called_back: bool = True) -> list[Op]:
        """Draw operations to run inside another: a callback that is given ids, or a transaction."""
        if self.depth > 2:
            return []
        was = self.called_back
        self.called_back = was or called_back
        self.depth += 1
        ops = [self.nested_op(given) for _ in range(self.random.randint(0, most))]
        self.depth -= 1
        self.called_back = was
        return ops

    def nested_op(self, given: str) -> Op:
        draw = self.random
        if given and self.chance(0.5):
            # Act on the very thing the listener was called for.
            ids = [odd("arg", i=given.index(level)) if level in given else self.id(level) for level in "trc"]
            if given == "v":
                return {"op": "set_value", "args": [odd("arg", i=0), self.value()]}
            if self.chance(0.3):
                return {"op": "del_cell", "args": ids}
            return {"op": "set_cell", "args": [*ids, self.mapper() if self.chance(0.2) else self.value()]}
        if self.chance(0.15):
            name = draw.choice(["get_transaction_changes", "get_transaction_log", "get_json"])
            op: Op = {"op": name}
        else:
            op = self.op()
            if op["op"] == "finish_transaction" and self.called_back:
                # A listener, or a do_rollback, finishes only what it started.
                op = {"op": "get_json"}
        if self.chance(0.2):
            op = {**op, "catch": False}
        return op

    def transaction(self) -> Op:
        ops = self.nested(5, called_back=False)
        if self.throws and self.chance(0.3):
            ops.insert(
                self.random.randint(0, len(ops)),
                {"op": "throw", "label": self.label("throw"), "catch": False},
            )
        op: Op = {"op": "transaction", "ops": ops, "returns": self.value()}
        if self.chance(0.4):
            op["rollback"] = self.rollback()
        return op

    def rollback(self) -> Op | None:
        if not self.rollbacks or self.chance(0.3):
            return None
        rollback: Op = {"returns": self.chance(0.6)}
        if self.chance(0.3):
            rollback["ops"] = self.nested(2)
        if self.throws and self.chance(0.1):
            rollback["throw"] = self.label("rollback")
        return rollback

    def add_listener(self) -> Op:
        kind = self.random.choice(list(KINDS))
        levels = KINDS[kind]
        op: Op = {
            "op": "add_listener",
            "kind": kind,
            "ids": [None if self.chance(self.wild) else self.id(level) for level in levels],
            "label": self.label(kind),
        }
        if kind == "sorted_row_ids":
            self.sorted_listeners += 1
            sort = self.sort()
            op |= {"sort": sort, "form": self.form(sort)}
        if kind not in TRANSACTION_KINDS and self.mutators and self.chance(0.4):
            op["mutator"] = True
        elif kind not in TRANSACTION_KINDS and self.chance(0.1):
            op["mutator"] = False
        if self.chance(0.5 if op.get("mutator") or kind in TRANSACTION_KINDS else 0.2):
            # An invalid listener may be called with no ids at all.
            op["ops"] = self.nested(3, "" if kind.startswith("invalid") else levels)
            op["budget"] = self.random.randint(1, 3)
        if self.throws and self.chance(0.15):
            op["throw"] = self.label("listener")
            op["budget"] = self.random.randint(1, 2)
        return op

    def sort(self) -> Op:
        draw = self.random
        sort: Op = {
            "table_id": self.id("t"),
            "descending": self.chance(0.5),
            "offset": draw.choice([0, 0, 0, 1, 2, -1]),
        }
        if self.chance(0.8):
            sort["cell_id"] = self.id("c")
        if self.chance(0.4):
            sort["limit"] = draw.choice([0, 1, 2, 10])
        return sort

    def form(self, sort: Op) -> str:
        """Choose how the sorting is asked for; only the object form takes a sorter."""
        if self.chance(0.5):
            return "positional"
        if self.chance(0.2):
            sort["sorter"] = self.random.choice(["zero", "descending"])
        return "args"

    def will(self) -> Op:
        if self.chance(0.04):
            return {"op": "destroy_middleware"}
        self.in_middleware = True
        op = self.middleware()
        self.in_middleware = False
        return op

    def middleware(self) -> Op:
        kind = self.random.choice(list(WILL))
        op: Op = {
            "op": "middleware",
            "kind": kind,
            "label": self.label(kind),
            "budget": self.random.randint(1, 6),
        }
        if self.throws and self.chance(0.1):
            op["throw"] = self.label("will")
        if kind.startswith("will_del"):
            return op | {"do": self.random.choice(["pass", "cancel"])}
        cells = lambda: self.level("c", self.value)  # noqa: E731
        rows = lambda: self.level("r", cells)  # noqa: E731
        inner: dict[str, tuple[str, Callable[[], Value]]] = {
            # Of what is no object TinyBase makes nothing, or a TypeError.
            "will_set_tables": ("trc", lambda: self.level("t", rows)),
            "will_set_table": ("rc", rows),
            "will_set_row": ("c", cells),
            "will_set_values": ("v", lambda: self.level("v", self.value)),
            "will_set_content": ("", self.content),
            "will_apply_changes": ("", self.changes),
            "will_set_cell": ("", self.value),
            "will_set_value": ("", self.value),
        }
        levels, whole = inner[kind]
        path: list[Any] = list(self.path(levels))
        if kind in {"will_set_content", "will_apply_changes"}:
            path = [0, *self.path("trc")] if self.chance(0.6) else [1, self.id("v")]
        match self.random.choice(["pass", "cancel", "const", *(["patch", "drop"] * 2 if path else [])]):
            case "const":
                return op | {"do": "const", "v": whole()}
            case "patch":
                return op | {"do": "patch", "path": path, "v": self.value()}
            case "drop":
                least = 2 if path[0] in {0, 1} else 1  # neither tables nor values of the whole can be missing
                return op | {"do": "drop", "path": path[: self.random.randint(least, len(path))]}
            case do:
                return op | {"do": do}

    def checkpoints(self) -> Op:
        draw = self.random
        name = draw.choice(
            ["add_checkpoint"] * 5 + ["go_backward"] * 5 + ["go_forward"] * 3
            + ["go_to", "set_checkpoint", "get_checkpoint_ids", "has_checkpoint", "get_checkpoint", "clear",
               "clear_forward", "set_size", "get_listener_stats", "del_listener", "destroy", "for_each"]
        )  # fmt: skip
        if self.called_back and self.going_to:
            name = "get_checkpoint_ids"
        elif name == "go_to" and not self.going_to:
            name = "go_backward"
        some_id = str(draw.randint(0, 5))
        args: list[Value] = []
        match name:
            case "add_checkpoint":
                args = [draw.choice(["", "one", "two"])] if self.chance(0.5) else []
            case "set_checkpoint":
                args = [some_id, draw.choice(["", "three"])]
            case "go_to" | "has_checkpoint" | "get_checkpoint" | "del_listener":
                args = [some_id]
            case "set_size":
                args = [draw.randint(0, 4)]
            case "for_each":
                return {"op": "for_each_checkpoint"}
        return {"op": "checkpoints", "name": name, "args": args}

    # --- The program ------------------------------------------------------------------------------

    def program(self, seed: int) -> Program:
        ops: list[Op] = []
        if "schema" in self.features:
            ops.append(
                self.build(self.random.choice(["set_tables_schema", "set_values_schema", "set_schema"]))
            )
        if "middleware" in self.features:
            ops.append(self.will())
        if "checkpoints" in self.features:
            ops.append({"op": "checkpoints", "name": "get_checkpoint_ids"})
        if "listeners" in self.features:
            ops += [self.add_listener() for _ in range(self.random.randint(1, 6))]
        while len(ops) < self.size:
            ops.append(self.op())
        # Whatever is still open is finished, and what is left is read in every way.
        ops += [{"op": "finish_transaction"}] * 3
        ops += [{"op": name} for name in ("get_content", "get_schema_json", "get_listener_stats")]
        ops += [{"op": "for_each", "level": "table", "args": []}]
        return {
            "seed": seed,
            "corrections": self.corrections(),
            "probes": {"cells": [self.path("trc") for _ in range(2)], "values": [self.id("v")]},
            "ops": ops,
        }

    def corrections(self) -> list[str]:
        """Name the faults of TinyBase that this program may meet; without any, it runs as published."""
        corrections = []
        if self.rollbacks or self.throws:
            corrections.append("rollback-restores-everything")
        if "schema" in self.features:
            corrections.append("defaults-need-an-object")
            if self.objects:
                corrections.append("object-defaults-are-valid")
        if "json" in self.features and (self.throws or self.bad):
            corrections.append("json-setters-leave-listeners-alone")
        if "middleware" in self.features:
            corrections += ["nothing-stays-empty", "undo-asks-no-middleware"]
        if self.sorted_listeners:
            corrections += ["statistics-count-listeners", "sorting-leaves-changes-alone"]
        return corrections


def generate(seed: int, *, size: int = 25) -> Program:
    """Draw the program of a seed, with ``size`` operations before those that end and read it."""
    return _Generator(seed, size).program(seed)
