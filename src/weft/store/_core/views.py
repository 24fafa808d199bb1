"""A Store as dictionaries: live views that read and write it.

They behave as ``dict`` does, with its order, its ``KeyError`` and its ``RuntimeError`` for changes during
iteration, and differ where a Store does: no row and no table is ever empty, so deleting the last cell
deletes the row; a cell with a default in the schema cannot be deleted, only reset; what ``pop`` returns
is a plain dictionary. A view stays usable when what it shows is gone: it is empty then, and writing to it
makes a row, or a table, again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any, Generic, Self, TypeAlias, TypeVar, overload

from weft.store._parts.display import (
    count,
    html_cells,
    html_table,
    html_tables,
    html_values,
    short,
    short_entries,
    short_row,
)
from weft.values import UNDEFINED, Cell, Value, decode_cell

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

    from weft.changes import Row, Table, Tables, Values
    from weft.store._core.content import ContentWrites
    from weft.store._core.loads import Existing, LoadSummary
    from weft.store.records import RowIds
    from weft.values import Stored

__all__ = ["RowView", "TableView", "TablesView", "ValuesView"]

V = TypeVar("V")
D = TypeVar("D")

Pairs: TypeAlias = "Mapping[str, V] | Iterable[tuple[str, V]]"


class _View(MutableMapping[str, V], Generic[V]):
    """What the views share."""

    __slots__ = ("_store",)

    def __init__(self, store: ContentWrites) -> None:
        self._store = store

    def _content(self) -> dict[str, Any]:
        """Give the Store's own dictionary at this place, or an empty one."""
        raise TypeError  # pragma: no cover - every view has its own

    def copy(self) -> dict[str, Any]:
        """Give what the view shows as plain dictionaries, the caller's own."""
        raise TypeError  # pragma: no cover - every view has its own

    def __len__(self) -> int:
        return len(self._content())

    def __iter__(self) -> Iterator[str]:
        return iter(self._content())

    def __reversed__(self) -> Iterator[str]:
        return reversed(self._content())

    def __contains__(self, key: object) -> bool:
        return key in self._content()

    @overload
    def pop(self, key: str) -> Any: ...
    @overload
    def pop(self, key: str, default: D) -> Any | D: ...
    def pop(self, key: str, default: object = UNDEFINED) -> Any:
        """Delete an entry and give what it was; ``default`` where there is none, if given."""
        if key not in self._content():
            if default is UNDEFINED:
                raise KeyError(key)
            return default
        entry = self[key]
        content = entry.copy() if isinstance(entry, _View) else entry
        del self[key]
        return content

    def popitem(self) -> tuple[str, Any]:
        """Delete the last entry and give it.

        Raises:
            KeyError: There is none.
        """
        for key in reversed(self):
            return key, self.pop(key)
        raise KeyError("popitem(): the view is empty")

    def update(self, other: Pairs[Any] = (), /, **entries: Any) -> None:  # type: ignore[override]
        """Set several entries, in one transaction."""
        with self._store.transaction():
            super().update(other, **entries)

    def __ior__(self, other: Pairs[Any]) -> Self:
        self.update(other)
        return self

    def __or__(self, other: Mapping[str, Any]) -> dict[str, Any]:
        return self.copy() | dict(other)

    def __ror__(self, other: Mapping[str, Any]) -> dict[str, Any]:
        return dict(other) | self.copy()

    def __repr__(self) -> str:
        return f"<{self._title()} {self._shown()}>"

    def _title(self) -> str:
        return type(self).__name__

    def _shown(self) -> str:
        return short_row(self._content())


class RowView(_View[Cell]):
    """The cells of a row."""

    __slots__ = ("row_id", "table_id")

    def __init__(self, store: ContentWrites, table_id: str, row_id: str) -> None:
        super().__init__(store)
        self.table_id = table_id
        self.row_id = row_id

    def _content(self) -> dict[str, Any]:
        table = self._store._tables.get(self.table_id)
        return {} if table is None else table.get(self.row_id, {})

    def copy(self) -> Row:
        """Give the cells as a dictionary, the caller's own."""
        return self._store.get_row(self.table_id, self.row_id)

    def __getitem__(self, cell_id: str) -> Cell:
        stored: Stored = self._content()[cell_id]
        return decode_cell(stored)

    def __setitem__(self, cell_id: str, cell: Cell) -> None:
        self._store.set_cell(self.table_id, self.row_id, cell_id, cell)

    def __delitem__(self, cell_id: str) -> None:
        if cell_id not in self._content():
            raise KeyError(cell_id)
        self._store.del_cell(self.table_id, self.row_id, cell_id)

    def clear(self) -> None:
        """Delete the row."""
        self._store.del_row(self.table_id, self.row_id)

    def _title(self) -> str:
        return f"RowView {short(self.table_id)} {short(self.row_id)}"

    def _repr_html_(self) -> str:
        """Show the row in a notebook."""
        return html_cells(f"{self.table_id} {self.row_id}", self._content())


class TableView(_View[RowView]):
    """The rows of a table, each as a live view."""

    __slots__ = ("table_id",)

    def __init__(self, store: ContentWrites, table_id: str) -> None:
        super().__init__(store)
        self.table_id = table_id

    def _content(self) -> dict[str, Any]:
        return self._store._tables.get(self.table_id, {})

    def copy(self) -> Table:
        """Give the rows as dictionaries, the caller's own."""
        return self._store.get_table(self.table_id)

    def __getitem__(self, row_id: str) -> RowView:
        if row_id not in self._content():
            raise KeyError(row_id)
        return RowView(self._store, self.table_id, row_id)

    def __setitem__(self, row_id: str, row: Mapping[str, object]) -> None:
        self._store.set_row(self.table_id, row_id, row)

    def __delitem__(self, row_id: str) -> None:
        if row_id not in self._content():
            raise KeyError(row_id)
        self._store.del_row(self.table_id, row_id)

    def setdefault(self, row_id: str, default: Mapping[str, object] = {}) -> RowView:
        """Give the row, set to ``default`` where it is missing; an empty default leaves it missing."""
        if row_id not in self._content() and default:
            self[row_id] = default
        return RowView(self._store, self.table_id, row_id)

    def clear(self) -> None:
        """Delete the table."""
        self._store.del_table(self.table_id)

    # What follows is imported when it is called: it brings the modules of the types that it converts.

    def load(
        self,
        records: object,
        *,
        id: RowIds = None,  # noqa: A002 - what tables call it
        convert: bool = False,
        existing: Existing = "merge",
    ) -> LoadSummary:
        """Add and change rows from records, a data frame or the like, in one transaction.

        Args:
            records: An iterable of mappings, dataclasses, NamedTuples or pydantic objects; a ``DataFrame`` of
                pandas or polars; a table of Arrow, or what gives itself as one; a structured array of NumPy;
                or a dictionary of columns. It is read to its end before anything is written.
            id: The column that holds the row ids, which makes no cell then. Or a function that gives the id
                of a record, of which all fields are cells. Without it, each record is a new row, and gets an
                id as ``add_row`` gives.
            convert: Make cells, ids and column names of what is none, as :func:`weft.store.to_cell` does;
                also ids of numbers, and lists of arrays. What is missing (``None``, NaN and NaT, pandas'
                ``NA``) makes no cell, and is ``None`` within lists and objects. Without it, ``None`` is a
                cell, and the others are errors.
            existing: What becomes of a row that is there. ``"merge"``: it keeps the cells that the record
                does not have. ``"replace"``: it loses them. ``"ignore"``: it stays as it is. ``"error"``:
                nothing is loaded. A second record with the same id finds the row there.

        Returns:
            How many rows were added, changed and left as they were, and their ids.

        Raises:
            InvalidCellError: A cell cannot be one, or the schema refuses it: the error names record, row and
                cell. A record without any cell is one, too. For all errors: nothing was changed.
            InvalidIdError: A row has no id, or one that can be none.
            TypeError: ``records`` is nothing of the above.
            ImportError: Other Arrow data than ``pyarrow``'s is read by that package, which is missing.
        """
        from weft.store.records import rows_of

        if existing not in {"merge", "replace", "ignore", "error"}:
            raise ValueError(f"existing must be 'merge', 'replace', 'ignore' or 'error', not {existing!r}")
        rows = list(rows_of(self.table_id, records, id, convert=convert))
        return self._store._load(self.table_id, rows, existing)

    def to_pandas(self, *, id: str | None = "id") -> pd.DataFrame:  # noqa: A002 - as above
        """Make a ``pandas.DataFrame`` of the table; what is not there is null.

        Args:
            id: Name of the index, which holds the row ids; ``None`` leaves them out.

        Raises:
            ImportError: pandas is not installed.
            ValueError: The table has cells of that name.
        """
        from weft.store.frames import to_pandas

        return to_pandas(self.copy(), self._store.get_table_cell_ids(self.table_id), id)

    def to_polars(self, *, id: str | None = "id") -> pl.DataFrame:  # noqa: A002 - as above
        """Make a ``polars.DataFrame`` of the table; what is not there is null.

        Args:
            id: Name of the first column, which holds the row ids; ``None`` leaves them out.

        Raises:
            ImportError: polars is not installed.
            ValueError: The table has cells of that name.
        """
        from weft.store.frames import to_polars

        return to_polars(self.copy(), self._store.get_table_cell_ids(self.table_id), id)

    def to_arrow(self, *, id: str | None = "id") -> pa.Table:  # noqa: A002 - as above
        """Make a ``pyarrow.Table`` of the table; what is not there is null.

        Args:
            id: Name of the first column, which holds the row ids; ``None`` leaves them out.

        Raises:
            ImportError: pyarrow is not installed.
            ValueError: The table has cells of that name.
        """
        from weft.store.frames import to_arrow

        return to_arrow(self.copy(), self._store.get_table_cell_ids(self.table_id), id)

    def _title(self) -> str:
        return f"TableView {short(self.table_id)}"

    def _shown(self) -> str:
        table = self._content()
        return short_entries((f"{short(id_)}: {short_row(row)}" for id_, row in table.items()), len(table))

    def _repr_html_(self) -> str:
        """Show the table in a notebook."""
        return html_table(self.table_id, self._content(), self._store._counts.get(self.table_id, ()))


class TablesView(_View[TableView]):
    """The tables of a Store, each as a live view."""

    __slots__ = ()

    def _content(self) -> dict[str, Any]:
        return self._store._tables

    def copy(self) -> Tables:
        """Give the tables as dictionaries, the caller's own."""
        return self._store.get_tables()

    def __getitem__(self, table_id: str) -> TableView:
        if table_id not in self._content():
            raise KeyError(table_id)
        return TableView(self._store, table_id)

    def __setitem__(self, table_id: str, table: Mapping[str, Mapping[str, object]]) -> None:
        self._store.set_table(table_id, table)

    def __delitem__(self, table_id: str) -> None:
        if table_id not in self._content():
            raise KeyError(table_id)
        self._store.del_table(table_id)

    def setdefault(self, table_id: str, default: Mapping[str, Mapping[str, object]] = {}) -> TableView:
        """Give the table, set to ``default`` where it is missing; an empty default leaves it missing."""
        if table_id not in self._content() and default:
            self[table_id] = default
        return TableView(self._store, table_id)

    def clear(self) -> None:
        """Delete all tables."""
        self._store.del_tables()

    def _shown(self) -> str:
        tables = self._content()
        shown = (f"{short(id_)}: {count(len(table), 'row')}" for id_, table in tables.items())
        return short_entries(shown, len(tables))

    def _repr_html_(self) -> str:
        """Show the tables in a notebook."""
        return html_tables(self._content(), self._store._counts) or "<p>no tables</p>"


class ValuesView(_View[Value]):
    """The keyed values of a Store."""

    __slots__ = ()

    def _content(self) -> dict[str, Any]:
        return self._store._values

    def copy(self) -> Values:
        """Give the values as a dictionary, the caller's own."""
        return self._store.get_values()

    def __getitem__(self, value_id: str) -> Value:
        return decode_cell(self._store._values[value_id])

    def __setitem__(self, value_id: str, value: Value) -> None:
        self._store.set_value(value_id, value)

    def __delitem__(self, value_id: str) -> None:
        if value_id not in self._store._values:
            raise KeyError(value_id)
        self._store.del_value(value_id)

    def clear(self) -> None:
        """Delete all keyed values."""
        self._store.del_values()

    def _repr_html_(self) -> str:
        """Show the values in a notebook."""
        return html_values(self._content()) or "<p>no values</p>"
