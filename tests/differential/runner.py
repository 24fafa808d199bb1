"""Runs a program (language.py) on weft and reports the trace.

The mirror image of interop/store_driver.mjs: where one changes, the other does.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from differential.codec import SORTERS, absent, decode, encode, named, plain_text, transform
from differential.language import odd
from weft.store import Checkpoints, Store, create_checkpoints, create_middleware
from weft.values import UNDEFINED

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from differential.language import Op, Program, Trace, Value

__all__ = ["ThrownError", "run_on_weft"]

# Arguments of each kind of listener, without the Store.
ARGUMENT_COUNTS = {
    "has_tables": 1, "tables": 1, "table_ids": 1, "has_table": 2, "table": 2, "table_cell_ids": 2,
    "has_table_cell": 3, "row_count": 2, "row_ids": 2, "sorted_row_ids": 6, "has_row": 3, "row": 3,
    "cell_ids": 3, "has_cell": 4, "cell": 6, "invalid_cell": 4, "has_values": 1, "values": 1,
    "value_ids": 1, "has_value": 2, "value": 4, "invalid_value": 2, "start_transaction": 0,
    "will_finish_transaction": 0, "did_finish_transaction": 0,
}  # fmt: skip
ID_CHANGES = {"table_ids", "table_cell_ids", "row_ids", "cell_ids", "value_ids"}
VALUE_CHANGES = {"values", "value"}
# A forced call leaves the last argument of these out.
LEFT_OUT = ID_CHANGES | VALUE_CHANGES | {"tables", "table", "row", "cell", "row_count"}
INVALID = {"invalid_cell", "invalid_value"}


class ThrownError(Exception):
    """What the ``throw`` of a program raises."""


class _Run:
    """One program on one Store."""

    def __init__(self, program: Program) -> None:
        self.probes = program["probes"]
        self.log: Trace = []
        self.store = Store(on_invalid="ignore")
        self.checkpoints: Checkpoints | None = None
        self.last_dump = ""

    def program(self, ops: list[Op]) -> Trace:
        for index, op in enumerate(ops):
            self.log.append(["O", index])
            self.op({**op, "catch": True}, ())
            self.dump()
        return self.log

    def ops(self, ops: list[Op], ids: Sequence[str] = ()) -> None:
        for op in ops:
            self.op(op, ids)

    def op(self, op: Op, ids: Sequence[str]) -> None:
        name = op["op"]
        special = getattr(self, f"op_{name}", None)
        try:
            if special is not None:
                result = special(op, ids)
            else:
                result = getattr(self.store, name)(*(self.argument(arg, ids) for arg in op.get("args", ())))
        except Exception as error:  # whatever is raised is part of the trace
            self.log.append(["E", name, str(error) if isinstance(error, ThrownError) else ""])
            if op.get("catch") is False:
                raise
        else:
            self.log.append(["R", name, odd("store") if result is self.store else encode(result)])

    def argument(self, value: Value, ids: Sequence[str]) -> Any:
        if not (isinstance(value, dict) and value["$"] == "mapper"):
            return decode(value, ids)

        def mapper(old: Any = UNDEFINED) -> Any:
            self.log.append(["F", encode(old)])
            if value.get("throw"):
                raise ThrownError(value["throw"])
            if value["do"] == "old":
                return old
            if value["do"] == "increment":
                return (float(old) if isinstance(old, int | float) and not isinstance(old, bool) else 0) + 1
            return decode(value["v"], ids)

        return mapper

    def dump(self) -> None:
        store = self.store
        state = [
            store.get_json(),
            [
                [
                    table_id,
                    store.get_row_count(table_id),
                    store.get_table_cell_ids(table_id),
                    [
                        [row_id, store.get_cell_ids(table_id, row_id)]
                        for row_id in store.get_row_ids(table_id)
                    ],
                ]
                for table_id in store.get_table_ids()
            ],
            store.get_value_ids(),
            [store.has_tables(), store.has_values()],
        ]
        text = json.dumps(state)
        if text != self.last_dump:
            self.last_dump = text
            self.log.append(["D", *state])

    # --- Listeners --------------------------------------------------------------------------------

    def listener_argument(self, kind: str, ids: Sequence[str], argument: Any, *, last: bool) -> Value:
        if argument is None and ((last and kind in LEFT_OUT) or kind in INVALID):
            # What TinyBase leaves undefined and weft gives as None: what a forced call cannot tell, and the
            # ids of what was refused as a whole.
            return odd("undefined")
        if argument is None and kind == "sorted_row_ids":
            return odd("undefined")  # no cell id, no limit
        if not callable(argument):
            return encode(argument)
        if kind in ID_CHANGES:
            return encode(argument())
        if kind in VALUE_CHANGES:
            return [encode(argument(value_id)) for value_id in [*ids, *self.probes["values"]]]
        paths = [*([ids] if len(ids) == 3 else []), *self.probes["cells"]]
        return [encode(argument(*path)) for path in paths]

    def listener(self, op: Op) -> Callable[..., None]:
        kind, label = op["kind"], op["label"]
        calls = 0

        def listener(first: Any, *others: Any) -> None:
            nonlocal calls
            given = others[: len(op.get("ids", ()))]
            padding = [UNDEFINED] * (ARGUMENT_COUNTS[kind] - len(others))
            everything = [*others, *padding]
            coded = [
                self.listener_argument(kind, given, argument, last=index == len(everything) - 1)
                for index, argument in enumerate(everything)
            ]
            self.log.append(["L", label, first is self.store, *coded])
            calls += 1
            if calls <= op.get("budget", 0):
                self.ops(op.get("ops", []), given)
                if op.get("throw"):
                    raise ThrownError(op["throw"])

        return listener

    def op_add_listener(self, op: Op, _ids: Sequence[str]) -> str:
        method = getattr(self.store, f"add_{op['kind']}_listener")
        listener = self.listener(op)
        more = () if op.get("mutator") is None else (op["mutator"],)
        if op["kind"] != "sorted_row_ids":
            result: str = method(*op.get("ids", ()), listener, *more)
            return result
        sort = self.sort(op["sort"])
        if op["form"] == "args":
            return self.store.add_sorted_row_ids_listener(
                **sort, listener=listener, mutator=bool(op.get("mutator"))
            )
        sort.pop("sorter")
        arguments = (*sort.values(), listener, *more)
        return self.store.add_sorted_row_ids_listener(*arguments)

    @staticmethod
    def sort(sort: Op) -> dict[str, Any]:
        """Put the arguments of a sorting into their order."""
        sorter = sort.get("sorter")
        return {
            "table_id": sort["table_id"],
            "cell_id": sort.get("cell_id"),
            "descending": sort["descending"],
            "offset": sort["offset"],
            "limit": sort.get("limit"),
            "sorter": SORTERS[sorter] if sorter is not None else None,
        }

    def op_get_sorted_row_ids(self, op: Op, _ids: Sequence[str]) -> list[str]:
        sort = self.sort(op["sort"])
        if op["form"] == "args":
            return self.store.get_sorted_row_ids(**sort)
        sort.pop("sorter")
        return self.store.get_sorted_row_ids(*sort.values())

    def op_get_cell(self, op: Op, ids: Sequence[str]) -> Any:
        # Without a default, weft gives None for what is absent.
        table_id, row_id, cell_id = (decode(arg, ids) for arg in op["args"])
        return self.store.get_cell(table_id, row_id, cell_id, UNDEFINED)

    def op_get_value(self, op: Op, ids: Sequence[str]) -> Any:
        return self.store.get_value(decode(op["args"][0], ids), UNDEFINED)

    def rollback(self, rollback: Op | None) -> Callable[[Any], Any] | None:
        if rollback is None:
            return None

        def do_rollback(first: Any) -> Any:
            self.log.append(["K", first is self.store])
            self.ops(rollback.get("ops", []))
            if rollback.get("throw"):
                raise ThrownError(rollback["throw"])
            return decode(rollback["returns"])

        return do_rollback

    def op_transaction(self, op: Op, ids: Sequence[str]) -> Any:
        ran = False

        def actions() -> Any:
            nonlocal ran
            ran = True
            self.ops(op["ops"], ids)
            return decode(op["returns"], ids)

        result = self.store.transaction(actions, self.rollback(op.get("rollback")))
        return result if ran else absent(result)

    def op_get_transaction_log(self, _op: Op, _ids: Sequence[str]) -> list[Any]:
        log: list[Any] = list(self.store.get_transaction_log())
        # Changes are in stored form: text, of a class of its own where it stands for an object.
        log[2] = plain_text(log[2])
        log[4] = plain_text(log[4])
        # What was refused as a whole stands under the id None; a JavaScript object turns that into text.
        log[3] = named(log[3], 2)
        log[5] = named(log[5], 0)
        return log

    def op_add_row(self, op: Op, ids: Sequence[str]) -> Any:
        return absent(self.store.add_row(*(decode(arg, ids) for arg in op["args"])))

    def op_finish_transaction(self, op: Op, _ids: Sequence[str]) -> Any:
        return self.store.finish_transaction(self.rollback(op.get("rollback")))

    def op_throw(self, op: Op, _ids: Sequence[str]) -> None:
        raise ThrownError(op["label"])

    # --- Middleware ---------------------------------------------------------------------------------

    def op_middleware(self, op: Op, _ids: Sequence[str]) -> Any:
        kind, label = op["kind"], op["label"]
        calls = 0

        def will(*args: Any) -> Any:
            nonlocal calls
            self.log.append(["M", label, *map(encode, args)])
            calls += 1
            active = calls <= op["budget"]
            if active and op.get("throw"):
                raise ThrownError(op["throw"])
            if kind.startswith("will_del"):
                return not active or op["do"] == "pass"
            return transform(op if active else {"do": "pass"}, args[-1])

        getattr(create_middleware(self.store), f"add_{kind}_callback")(will)
        return UNDEFINED

    def op_destroy_middleware(self, _op: Op, _ids: Sequence[str]) -> Any:
        create_middleware(self.store).destroy()
        return UNDEFINED

    # --- Checkpoints --------------------------------------------------------------------------------

    def the_checkpoints(self) -> Checkpoints:
        # Made once, as in the driver: destroyed ones stay destroyed.
        if self.checkpoints is None:
            self.checkpoints = create_checkpoints(self.store)
        return self.checkpoints

    def op_checkpoints(self, op: Op, _ids: Sequence[str]) -> Any:
        checkpoints = self.the_checkpoints()
        name = op["name"]
        result = getattr(checkpoints, name)(*map(decode, op.get("args", ())))
        if result is checkpoints:
            return {"checkpoints": True}
        if name == "get_checkpoint_ids":
            return [result[0], absent(result[1]), result[2]]
        return absent(result)

    def op_checkpoint_listener(self, op: Op, _ids: Sequence[str]) -> str:
        checkpoints = self.the_checkpoints()

        def listener(first: Any, *others: Any) -> None:
            self.log.append(["C", op["label"], first is checkpoints, *map(encode, others)])
            backward, current, forward = checkpoints.get_checkpoint_ids()
            self.log.append(["C", encode([backward, absent(current), forward])])

        method = getattr(checkpoints, f"add_{op['kind']}_listener")
        listener_id: str = method(*op["ids"], listener)
        return listener_id

    def op_for_each_checkpoint(self, _op: Op, _ids: Sequence[str]) -> list[Any]:
        items: list[Any] = []
        self.the_checkpoints().for_each_checkpoint(lambda *pair: items.append(pair))
        return items

    # --- Reading ----------------------------------------------------------------------------------

    def op_for_each(self, op: Op, _ids: Sequence[str]) -> list[Any]:
        items: list[Any] = []
        level, args = op["level"], op["args"]

        def each_cell(for_each_cell: Callable[..., None]) -> list[Any]:
            cells: list[Any] = []
            for_each_cell(lambda *pair: cells.append(pair))
            return cells

        def each_row(for_each_row: Callable[..., None]) -> list[Any]:
            rows: list[Any] = []
            for_each_row(lambda row_id, for_each_cell: rows.append([row_id, each_cell(for_each_cell)]))
            return rows

        if level == "table":
            self.store.for_each_table(
                lambda table_id, for_each_row: items.append([table_id, each_row(for_each_row)])
            )
        elif level == "row":
            self.store.for_each_row(
                args[0], lambda row_id, for_each_cell: items.append([row_id, each_cell(for_each_cell)])
            )
        else:
            getattr(self.store, f"for_each_{level}")(*args, lambda *pair: items.append(pair))
        return items


def run_on_weft(program: Program) -> Trace:
    """Run a program on a new Store and return what happened.

    Where the content cannot even be read after an operation, the trace ends with an event ``X``.
    """
    run = _Run(program)
    try:
        return run.program(program["ops"])
    except Exception as error:  # noqa: BLE001 - it makes the trace differ, and shows there
        return [*run.log, ["X", repr(error)]]
