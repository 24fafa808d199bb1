"""Draws ids, cells, rows, content, JSON text and schemas for programs (language.py)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from differential.language import obj, odd

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from differential.language import Value

__all__ = ["Drawing"]

TABLE_IDS = ["t1", "t2", "pets", "0", "__proto__"]
ROW_IDS = ["r1", "r2", "0", "1", "2", "10", "", "é", "\ue000", "😀", "01"]
CELL_IDS = ["a", "b", "c", "1", "constructor"]
VALUE_IDS = ["v", "w", "x", "2", "__proto__"]

INTEGERS = [0, 1, 2, 3, 5, -1, 10, 100]
EDGES = [
    1.5, 1.0, -0.5, 2**53 - 1, 1 - 2**53, 2.0**53, 1e20, 1e21, 1e-6, 1e-7, 5e-324, 1.7976931348623157e308,
    123456789012345.6, -3.0,
]  # fmt: skip
STRINGS = [
    "",
    "a",
    "b",
    "dog",
    "10",
    "9",
    " 7 ",
    "0x1f",
    "1e1",
    "-1",
    "é",
    "\ue000",
    "😀",
    "\ufffcx",
    '\n"\\',
    "true",
]
RESERVED = ["\ufffc", "\ufffd", "\ufffdx", "\ufffd5", '\ufffd{"a":1}', "\ufffd[", "\ufffdnull"]
BAD = [
    odd("undefined"), odd("nan"), odd("inf"), odd("-inf"), odd("bigint", v="9007199254740993"),
    odd("function"), odd("date"), odd("set"), odd("instance"), odd("cyclic"),
]  # fmt: skip
# What JavaScript's structuredClone, which middleware puts everything through, leaves as it is.
BAD_CLONEABLE = BAD[:4]


class Drawing:
    """One random generator, and what it has decided for the whole of a program."""

    def __init__(self, draw: random.Random, features: set[str]) -> None:
        self.random = draw
        self.features = features
        self.throws = self.chance(0.25)
        self.objects = self.chance(0.4)
        self.bad = draw.choice([0.0, 0.0, 0.03, 0.1, 0.3])
        self.edges = draw.choice([0.0, 0.1, 0.4])
        self.ids = {
            "t": self.some(TABLE_IDS, 1, 3),
            "r": self.some(ROW_IDS, 2, 5),
            "c": self.some(CELL_IDS, 2, 4),
            "v": self.some(VALUE_IDS, 1, 4),
        }
        self.types = self.some(["string", "number", "boolean", "null"], 1, 4)
        if self.objects:
            self.types.append("object")
        self.in_middleware = False

    def some(self, pool: list[str], least: int, most: int) -> list[str]:
        return self.random.sample(pool, self.random.randint(least, min(most, len(pool))))

    def chance(self, odds: float) -> bool:
        return self.random.random() < odds

    def id(self, level: str) -> str:
        return self.random.choice(self.ids[level])

    def path(self, levels: str) -> list[str]:
        return [self.id(level) for level in levels]

    # --- Values -----------------------------------------------------------------------------------

    def bad_value(self) -> Value:
        if self.chance(0.3):
            # Middleware may hand TinyBase encoded objects; weft takes them from nobody.
            return "\ufffc" if self.in_middleware else self.random.choice(RESERVED)
        return self.random.choice(BAD_CLONEABLE if "middleware" in self.features else BAD)

    def good_value(self, types: list[str] | None = None) -> Value:
        match self.random.choice(types or self.types):
            case "string":
                return self.random.choice(STRINGS)
            case "number":
                return self.random.choice(EDGES if self.chance(self.edges) else INTEGERS)
            case "boolean":
                return self.chance(0.5)
            case "null":
                return None
            case "array":
                return self.array()
            case _:
                return self.object() if self.chance(0.6) else self.array()

    def object(self, depth: int = 0) -> Value:
        keys = self.random.sample(["k", "l", "1", "é"], self.random.randint(0, 2))
        return obj({key: self.inner(depth) for key in sorted(keys)})

    def array(self, depth: int = 0) -> Value:
        return [self.inner(depth) for _ in range(self.random.randint(0, 3))]

    def inner(self, depth: int) -> Value:
        if depth < 2 and self.chance(0.25):
            return self.object(depth + 1) if self.chance(0.5) else self.array(depth + 1)
        return self.random.choice([*STRINGS[:6], *INTEGERS[:4], 1.5, 1e21, 1.0, True, False, None])

    def value(self) -> Value:
        return self.bad_value() if self.chance(self.bad) else self.good_value()

    def container(self, level: str, child: Callable[[], Value], most: int = 3) -> Value:
        """Draw an object of things with ids of a level; now and then something that is none, or empty."""
        if self.chance(self.bad / 2):
            return self.random.choice([obj({}), 5, None, "x", [], [1], True, odd("undefined")])
        ids = self.ids[level]
        chosen = self.random.sample(ids, self.random.randint(1, min(most, len(ids))))
        return obj({id_: child() for id_ in chosen})

    def level(self, level: str, child: Callable[[], Value]) -> Value:
        """Draw an object of things with ids of a level, possibly empty."""
        ids = self.ids[level]
        chosen = self.random.sample(ids, self.random.randint(0, min(2, len(ids))))
        return obj({id_: child() for id_ in chosen})

    def row(self) -> Value:
        return self.container("c", self.value)

    def table(self) -> Value:
        return self.container("r", self.row)

    def tables(self) -> Value:
        return self.container("t", self.table, 2)

    def values(self) -> Value:
        return self.container("v", self.value)

    def content(self) -> Value:
        if "middleware" in self.features:
            # TinyBase raises a TypeError there when a part of the content is missing or no object.
            return [self.level("t", self.table), self.level("v", self.value)]
        if self.chance(self.bad):
            return self.random.choice([5, None, "x", obj({}), [], [None, None], [obj({}), 5]])
        tables = obj({}) if self.chance(0.15) else self.tables()
        return [tables] if self.chance(0.05) else [tables, obj({}) if self.chance(0.2) else self.values()]

    def changes(self) -> Value:
        def gone(child: Callable[[], Value]) -> Callable[[], Value]:
            return lambda: odd("undefined") if self.chance(0.2) else child()

        cells = gone(lambda: self.level("c", gone(self.value)))
        return [
            self.level("t", gone(lambda: self.level("r", cells))),
            self.level("v", gone(self.value)),
            1,
        ]

    # --- JSON -------------------------------------------------------------------------------------

    def plain(self, value: Value) -> Any:
        """Turn a coded value into one that ``json`` writes; what JSON cannot say becomes ``null``."""
        if isinstance(value, list):
            return [self.plain(item) for item in value]
        if isinstance(value, dict):
            if value["$"] != "o":
                return None
            return {key: self.plain(item) for key, item in value["v"]}
        return value

    def json(self, value: Value) -> str:
        if self.chance(self.bad):
            return self.random.choice(
                ["", "{", "5", "null", '"ab"', "[]", "[1]", "[5,6]", "{}", "[{},{}]", "[{}]", "NaN",
                 "[NaN,1]", "tr", '{"t1":5}', '{"t1":{}}', '{"t1":{"r1":{}}}', "{'a':1}", '{"a":1,}', "01",
                 "\ufeff{}", '[{},{"v":1e400}]']
            )  # fmt: skip
        plain = self.plain(value)
        if self.objects and self.chance(0.5):
            plain = self.encode_cells(plain)
        return json.dumps(
            plain, ensure_ascii=self.chance(0.3), separators=self.random.choice([(",", ":"), (", ", ": ")])
        )

    def encode_cells(self, plain: Any) -> Any:
        """Replace some lists and objects by their stored form."""
        if isinstance(plain, dict):
            return {key: self.encode_cells(item) for key, item in plain.items()}
        if isinstance(plain, list):
            if self.chance(0.5) and plain and not isinstance(plain[0], dict):
                return "\ufffd" + json.dumps(plain, ensure_ascii=False, separators=(",", ":")).replace(
                    "1.0", "1"
                )
            return [self.encode_cells(item) for item in plain]
        return plain

    # --- Schemas ----------------------------------------------------------------------------------

    def item_schema(self) -> Value:
        draw = self.random
        if self.chance(self.bad):
            return draw.choice(
                [5, None, [], obj({}), obj({"type": "strin"}), obj({"type": []}), obj({"enum": []}),
                 obj({"default": 1}), obj({"type": "string", "enum": ["a"]}), obj({"enum": [None]}),
                 obj({"type": "number", "default": None}), obj({"enum": ["\ufffc"]}), obj({"type": None}),
                 obj({"enum": [obj({})]}), obj({"type": ["string", "x"]}), obj({"enum": "ab"}),
                 obj({"enum": [1, odd("nan")]})]
            )  # fmt: skip
        schema: dict[str, Value] = {}
        types = ["string", "number", "boolean", *(["object", "array"] if self.objects else [])]
        if self.chance(0.25):
            enum = [self.good_value(["string", "number", "boolean"]) for _ in range(draw.randint(1, 4))]
            schema["enum"] = enum
            fitting = draw.choice(enum)
        else:
            chosen = self.some(types, 1, 1) if self.chance(0.7) else self.some(types, 1, 3)
            schema["type"] = chosen[0] if len(chosen) == 1 and self.chance(0.8) else chosen
            fitting = self.good_value(chosen)
        if self.chance(0.45):
            schema["default"] = self.value() if self.chance(0.15) else fitting
            if schema["default"] == odd("cyclic"):
                del schema["default"]  # TinyBase runs out of stack
        if self.chance(0.25):
            schema["allowNull"] = self.chance(0.9)
            if self.chance(0.3):
                schema["default"] = None
        if self.chance(0.2):
            schema["required"] = self.chance(0.9)
        if self.chance(0.05):
            schema["unknown"] = 1
        return obj(schema)

    def tables_schema(self) -> Value:
        return self.container("t", lambda: self.keeping_order(self.container("c", self.item_schema, 4)))

    def values_schema(self) -> Value:
        return self.keeping_order(self.container("v", self.item_schema, 4))

    def keeping_order(self, schema: Value) -> Value:
        """Take the defaults from ids that look like array indices: JavaScript puts these first."""
        if isinstance(schema, dict) and schema["$"] == "o":
            for id_, item in schema["v"]:
                if id_.isdigit() and isinstance(item, dict):
                    item["v"] = [pair for pair in item.get("v", []) if pair[0] != "default"]
        return schema
