"""Where listeners are kept, and which of them a change concerns.

Each kind has a tree keyed by the ids of its path, ``None`` standing for any; a :class:`Leaf` holds the
listeners of one path. For one change the most specific path comes first: of table, row and cell
``trc, tr*, t*c, t**, *rc, *r*, **c, ***``, as in TinyBase.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, TypedDict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = [
    "KINDS",
    "Interest",
    "Leaf",
    "ListenerStats",
    "ListenerTree",
    "call",
    "call_all",
    "matching",
    "pending",
    "rows_watched",
    "widened",
]

Interest: TypeAlias = dict[str, Literal[True] | dict[str, Literal[True] | set[str]]] | None
"""Which cells some listener might want to hear of: nested ids, ``True`` for all below, ``None`` for all.

It may say yes too often, never no: a write that it says no to tells nobody and keeps no log.
"""


class ListenerStats(TypedDict):
    """How many listeners of each kind a Store has."""

    has_tables: int
    tables: int
    table_ids: int
    has_table: int
    table: int
    table_cell_ids: int
    has_table_cell: int
    row_count: int
    row_ids: int
    sorted_row_ids: int
    has_row: int
    row: int
    cell_ids: int
    has_cell: int
    cell: int
    invalid_cell: int
    has_values: int
    values: int
    value_ids: int
    has_value: int
    value: int
    invalid_value: int
    transaction: int


KINDS: Final = tuple(kind for kind in ListenerStats.__annotations__ if kind != "transaction")
"""The kinds that listen to data. Those of transactions have no path, and so no tree."""


class Leaf:
    """The listeners of one path, in the order they were added.

    ``calls`` and ``ids`` are replaced, never changed: a loop over them sees whether the leaf has changed.
    """

    __slots__ = ("by_id", "calls", "ids")

    def __init__(self) -> None:
        self.by_id: dict[str, Callable[..., object]] = {}
        self.calls: tuple[Callable[..., object], ...] = ()
        self.ids: tuple[str, ...] = ()

    def add(self, listener_id: str, listener: Callable[..., object]) -> None:
        self.by_id[listener_id] = listener
        self.calls = (*self.calls, listener)
        self.ids = (*self.ids, listener_id)

    def remove(self, listener_id: str) -> None:
        del self.by_id[listener_id]
        self.calls = tuple(self.by_id.values())
        self.ids = tuple(self.by_id)


class ListenerTree:
    """The listeners of one phase: those that may write, or those that only look.

    Each kind of :data:`KINDS` is an attribute: its tree.

    Attributes:
        size: How many there are.
        any_cell: The leaf of listeners to every cell, if all listeners to cells are in it.
    """

    __slots__ = (*KINDS, "any_cell", "size")

    if TYPE_CHECKING:

        def __getattr__(self, kind: str) -> dict[str | None, Any]: ...

    def __init__(self) -> None:
        self.size = 0
        self.any_cell: list[Leaf] | None = None
        for kind in KINDS:
            setattr(self, kind, {})

    def __bool__(self) -> bool:
        return self.size > 0

    def _find_any_cell(self) -> list[Leaf] | None:
        node: Any = self.cell
        for _ in range(3):
            if len(node) != 1 or None not in node:
                return None
            node = node[None]
        return [node]

    def wants_ids(self) -> bool:
        """Tell whether a listener might care that a cell, row or table comes or goes."""
        return bool(
            self.table_ids
            or self.has_table
            or self.table_cell_ids
            or self.has_table_cell
            or self.row_count
            or self.row_ids
            or self.sorted_row_ids
            or self.has_row
            or self.cell_ids
            or self.has_cell
        )

    def add(
        self, kind: str, path: tuple[str | None, ...], listener_id: str, listener: Callable[..., object]
    ) -> None:
        """Add a listener. The path of a kind without ids is ``("",)``."""
        node = getattr(self, kind)
        for id_ in path[:-1]:
            node = node.setdefault(id_, {})
        leaf = node.get(path[-1])
        if leaf is None:
            leaf = node[path[-1]] = Leaf()
        leaf.add(listener_id, listener)
        self.size += 1
        if kind == "cell":
            self.any_cell = self._find_any_cell()

    def remove(self, kind: str, path: tuple[str | None, ...], listener_id: str) -> None:
        """Remove a listener, and the branches that it leaves empty."""
        nodes = [getattr(self, kind)]
        for id_ in path[:-1]:
            nodes.append(nodes[-1][id_])
        leaf = nodes[-1][path[-1]]
        leaf.remove(listener_id)
        self.size -= 1
        if not leaf.by_id:
            for node, id_ in zip(reversed(nodes), reversed(path), strict=True):
                del node[id_]
                if node:
                    break
        if kind == "cell":
            self.any_cell = self._find_any_cell()


def widened(interest: Interest, kind: str, path: tuple[str | None, ...]) -> Interest:
    """Add what a listener of this kind and path wants to hear of."""
    if interest is None or kind in {"invalid_cell", "invalid_value"} or "value" in kind:
        return interest
    if not path or path[0] is None:  # transactions, and all kinds without ids, want everything
        return None
    table_id, row_id = path[0], path[1] if len(path) > 1 else None
    rows = interest.setdefault(table_id, {})
    if rows is True:
        return interest
    if row_id is None or kind in {"has_table_cell", "sorted_row_ids"}:
        interest[table_id] = True
        return interest
    cells = rows.setdefault(row_id, set())
    if cells is not True:
        if kind == "cell" and path[2] is not None:
            cells.add(path[2])
        else:
            rows[row_id] = True
    return interest


def rows_watched(watched: set[str] | None, kind: str, path: tuple[str | None, ...]) -> set[str] | None:
    """Add the row whose cells a listener wants to hear of; ``None`` where it is not one row.

    What most writes are asked first, as it is one look-up: is it a row that anybody watches?
    """
    if kind in {"invalid_cell", "invalid_value"} or "value" in kind:
        return watched
    row_id = path[1] if len(path) > 1 and kind not in {"has_table_cell", "sorted_row_ids"} else None
    if watched is None or row_id is None:
        return None
    watched.add(row_id)
    return watched


def matching(tree: dict[str | None, Any], *ids: str | None) -> list[Leaf]:
    """List the leaves whose path fits the ids, most specific first."""
    nodes: list[Any] = [tree]
    for id_ in ids:
        found = []
        for node in nodes:
            if id_ is not None:
                child = node.get(id_)
                if child is not None:
                    found.append(child)
            child = node.get(None)
            if child is not None:
                found.append(child)
        nodes = found
    return nodes


def pending(
    listeners: dict[str, Callable[..., object]], done: dict[str, Callable[..., object]]
) -> Iterator[Callable[..., object]]:
    """Go through listeners that change meanwhile: what was removed is left out, what was added comes.

    Args:
        listeners: By id.
        done: Those that have been called, by the id they had: a removed listener's id may be given anew.
    """
    again = True
    while again:
        again = False
        for listener_id, listener in list(listeners.items()):
            if done.get(listener_id) is not listener and listeners.get(listener_id) is listener:
                done[listener_id] = listener
                again = True
                yield listener


def call(leaves: list[Leaf], *args: object) -> None:
    """Call the listeners of some leaves; the first exception ends it."""
    for leaf in leaves:
        calls = leaf.calls
        ids = leaf.ids
        for position, listener in enumerate(calls, 1):
            listener(*args)
            if leaf.calls is not calls:
                done = dict(zip(ids[:position], calls, strict=False))
                for late in pending(leaf.by_id, done):
                    late(*args)
                break


def call_all(listeners: dict[str, Callable[..., object]], *args: object) -> None:
    """Call every listener, whatever they raise, and raise the first exception at the end."""
    failed: BaseException | None = None
    done: dict[str, Callable[..., object]] = {}
    if len(listeners) == 1:  # the commonest
        done.update(listeners)
        for listener in done.values():
            try:
                listener(*args)
            except BaseException as error:  # noqa: BLE001 - raised when the others have been called
                failed = error
        if listeners == done:
            if failed is not None:
                raise failed
            return
    for listener in pending(listeners, done):
        try:
            listener(*args)
        except BaseException as error:  # noqa: BLE001 - raised when the others have been called
            failed = failed or error
    if failed is not None:
        raise failed
