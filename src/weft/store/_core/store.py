"""The Store itself: the last link of the chain, with views, copies, plain rows and its ``repr``."""

from __future__ import annotations

from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from weft.errors import InvalidSchemaError
from weft.store._core.decorators import ListenerDecorators
from weft.store._core.text import Text
from weft.store._core.views import RowView, TablesView, TableView, ValuesView
from weft.store._parts.display import count, html_tables, html_values, short
from weft.values import json_equal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import SupportsIndex

    from weft.changes import Content, Row, StoredTables, StoredValues
    from weft.store._core.undo_manager import UndoManager
    from weft.store._parts.row_ids import RowIdPool
    from weft.store._parts.schema_rules import CellRule, TableRule

    _State: TypeAlias = tuple[
        StoredTables,
        StoredValues,
        dict[str, dict[str, int]],
        dict[str, RowIdPool],
        dict[str, TableRule] | None,
        dict[str, CellRule] | None,
    ]

__all__ = ["Store"]

_SHOWN_TABLES = 5  # in a repr
_SHOWN_ID = 40  # characters


class Store(ListenerDecorators):
    """Tables of rows of cells, and keyed values, in memory; reactive, with transactions and a schema.

    Args:
        on_invalid: What a local write does with data that cannot be stored or that the schema refuses:
            ``"raise"`` raises before anything changes; ``"ignore"`` leaves the piece out and calls the
            invalid listeners, as TinyBase does. What peers send never raises.
        row_ids: Which ids ``add_row`` gives. ``"counter"``: ``"0"``, ``"1"``, … as TinyBase does, which two
            peers both do, so that their rows become one. ``"unique"``: 16 characters that sort in order of
            making and never meet those of another peer. ``"auto"`` counts while the Store is alone and
            gives unique ids from the moment at which a mirror or a persister is at work on it: processes that
            share a file or a database are peers, too. Or a function that makes ids.
        encode: Makes a cell or value of what a caller writes and none can be, such as a ``datetime``, also
            within lists and dictionaries. :func:`weft.store.to_cell` knows the commonest types. What it
            raises as ``TypeError`` or ``ValueError`` is why the write is refused.
    """

    __slots__ = ()

    def is_mergeable(self) -> bool:
        """Tell whether this is a Store that merges by itself; a plain one does not."""
        return False

    @property
    def tables(self) -> TablesView:
        """The tables as a live mapping: ``store.tables["pets"]["fido"]["species"] = "dog"``."""
        return TablesView(self)

    @property
    def values(self) -> ValuesView:
        """The keyed values as a live mapping: ``store.values["open"] = True``."""
        return ValuesView(self)

    def table(self, table_id: str) -> TableView:
        """Get a live mapping of a table, which need not be there yet."""
        self._check_ids(table_id)
        return TableView(self, table_id)

    def row(self, table_id: str, row_id: str) -> RowView:
        """Get a live mapping of a row, which need not be there yet: a write makes it."""
        self._check_ids(table_id, row_id)
        return RowView(self, table_id, row_id)

    def text(self, table_id: str, row_id: str, cell_id: str) -> Text:
        """Get a shared text to edit in place; the cell need not be there yet: the first edit makes it.

        Raises:
            InvalidSchemaError: The cell is no text: the schema of its table does not say ``"type": "text"``,
                nor does the layout of a mirror.
        """
        self._check_ids(table_id, row_id, cell_id)
        texts = self._known_texts()
        if not texts.is_text(self._schema, (table_id, row_id, cell_id)):
            raise InvalidSchemaError(
                f"cell {cell_id!r} of table {table_id!r} is no shared text: give it the type in the schema,"
                f' as in set_tables_schema({{{table_id!r}: {{{cell_id!r}: {{"type": "text"}}}}}})'
            )
        return Text(self, texts, table_id, row_id, cell_id)

    def undo_manager(
        self,
        *,
        capture_timeout: float = 0.5,
        scope: Iterable[str | tuple[str, ...]] | None = None,
        values: bool | Iterable[str] | None = None,
        include: Callable[[object], bool] | None = None,
        size: int = 100,
        max_bytes: int = 64 * 1024 * 1024,
        clock: Callable[[], float] | None = None,
    ) -> UndoManager:
        """Get undo and redo of one's own edits from now on, never of a peer's: see docs/undo.md.

        Args:
            capture_timeout: Seconds from one transaction to the next within which they are one step; 0: each
                is a step of its own.
            scope: What is captured: table ids, ``(table_id, row_id)`` and ``(table_id, row_id, cell_id)``;
                ``None`` for everything.
            values: Whether keyed values are captured, or the ids of those that are; ``None``: where there is
                no scope.
            include: Asked with the origin of each transaction written here whether to capture it; ``None``
                for all. What is left out counts as others'.
            size: How many steps are kept to be undone; older ones are forgotten.
            max_bytes: About how many bytes all steps may take; likewise.
            clock: Gives seconds; by default ``time.monotonic``.

        Raises:
            TypeError, ValueError: An argument is none.
        """
        from weft.store._core.undo_manager import UndoManager

        return UndoManager(
            self,
            capture_timeout=capture_timeout,
            scope=scope,
            values=values,
            include=include,
            size=size,
            max_bytes=max_bytes,
            clock=clock,
        )

    def to_dicts(self, table_id: str, *, row_id: str | None = None) -> list[Row]:
        """Get the rows of a table as a list, as data frames take it.

        ``pandas.DataFrame(store.to_dicts("pets", row_id="id"))``, and the same with ``polars``.

        Args:
            table_id: The table.
            row_id: Key under which each row carries its id, first of all; without it, it does not.

        Raises:
            ValueError: The rows have cells of the id ``row_id``, which would be lost.
        """
        table = self.get_table(table_id)
        if row_id is None:
            return list(table.values())
        if self.has_table_cell(table_id, row_id):
            raise ValueError(
                f"table {table_id!r} has cells {row_id!r}, which the row's id would take the place of: "
                "choose another row_id"
            )
        return [{row_id: id_, **row} for id_, row in table.items()]

    def copy(self) -> Self:
        """Make a Store of its own with the same content, schemas and way of treating bad data.

        Listeners, middleware, mirrors, persisters and open transactions stay behind, and the copy belongs to
        no thread. ``copy.copy``, ``copy.deepcopy`` and ``pickle`` make the same; for ``pickle``, functions
        given as ``encode`` and ``row_ids`` must be importable by name.
        """
        # Stored forms and rules are never changed in place, so only the dictionaries are copied.
        tables, values, counts, pools, tables_schema, values_schema = self._own_state()
        own_tables = {
            table_id: {row_id: row.copy() for row_id, row in table.items()}
            for table_id, table in tables.items()
        }
        own_counts = {table_id: count.copy() for table_id, count in counts.items()}
        own_pools = {table_id: pool.copy() for table_id, pool in pools.items()}
        other: Self = self._free_type()(**self._options())
        other.__setstate__((own_tables, values.copy(), own_counts, own_pools, tables_schema, values_schema))
        return other

    # All of these make a free Store: one that shared hooks or an owner with this one would write into its
    # documents and places, or stop the writes to it.

    def __copy__(self) -> Self:
        return self.copy()

    def __deepcopy__(self, memo: dict[int, object]) -> Self:
        return self.copy()

    def __reduce_ex__(self, protocol: SupportsIndex) -> tuple[object, ...]:
        return partial(self._free_type(), **self._options()), (), self._own_state()

    def __setstate__(self, state: _State) -> None:
        (self._tables, self._values, self._counts, self._pools, self._schema, self._values_schema) = state

    def _free_type(self) -> Any:
        """The class of copies, which are attached to nothing: of a Store that always is, ``Store``."""
        return type(self)

    def _own_state(self) -> _State:
        """What is the Store's own, and nobody's who is attached to it."""
        return self._tables, self._values, self._counts, self._pools, self._schema, self._values_schema

    def _options(self) -> dict[str, Any]:
        """The arguments with which the Store was made."""
        on_invalid = "raise" if self._raising else "ignore"
        return {"on_invalid": on_invalid, "row_ids": self._row_ids, "encode": self._encode}

    def same_content(self, other: Store | Content) -> bool:
        """Tell whether another Store, or ``(tables, values)``, holds the same under JSON equality.

        Order does not matter. Stores themselves compare by identity, as they are places and not values.
        """
        content = other.get_content() if isinstance(other, Store) else other
        return json_equal(self.get_content(), content)

    def __repr__(self) -> str:
        parts = [
            f"{id_ if len(id_) <= _SHOWN_ID else short(id_)}: {count(len(table), 'row')}"
            for id_, table in islice(self._tables.items(), _SHOWN_TABLES)
        ]
        if len(self._tables) > _SHOWN_TABLES:
            parts.append(f"… {count(len(self._tables) - _SHOWN_TABLES, 'more table')}")
        tables = ", ".join(parts) or "no tables"
        return f"<{type(self).__name__} {tables}; {count(len(self._values), 'value')}>"

    def _repr_html_(self) -> str:
        """Show tables and values in a notebook."""
        shown = html_tables(self._tables, self._counts) + html_values(self._values)
        return shown or "<p>an empty Store</p>"
