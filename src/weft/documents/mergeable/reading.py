"""Reading a mergeable document: content, hashes, and what another one lacks, in TinyBase's shapes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from weft._support.collection import CollectionPaused
from weft.documents.mergeable.hashes import get_cell_hash
from weft.values import UNDEFINED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from weft.documents.mergeable.content import MergeableChanges, MergeableContent, Stamp
    from weft.documents.mergeable.stamps import Group, Things
    from weft.values import Stored, Undefined

__all__ = ["Reading"]

Hashes = dict[str, int]


def _things(things: Things) -> list[Any]:
    """A row, or all values, without hashes."""
    stamps = things.stamps.items()
    return _with_hlc(
        {thing: [stored, hlc] if hlc else [stored] for thing, (stored, hlc) in stamps}, things.hlc
    )


def _stamp(stamp: Stamp) -> list[Any]:
    return [stamp[0], stamp[1]] if stamp[1] else [stamp[0]]


def _hashed_stamp(stamp: Stamp) -> list[Any]:
    return [*stamp, get_cell_hash(*stamp)]


def _container(children: dict[str, Any], of: Things | Group[Any], *, with_hashes: bool) -> list[Any]:
    return [children, of.hlc, of.hash] if with_hashes else _with_hlc(children, of.hlc)


def _with_hlc(children: dict[str, Any], hlc: str) -> list[Any]:
    return [children, hlc] if hlc else [children]


def _hashed(things: Things) -> list[Any]:
    """A row, or all values, with hashes."""
    return [
        {
            thing_id: [stored, hlc, cell_hash]
            for (thing_id, (stored, hlc)), cell_hash in zip(
                things.stamps.items(), things.cell_hashes, strict=True
            )
        },
        things.hlc,
        things.hash,
    ]


class Reading:
    """The half of a :class:`~weft.documents.mergeable.MergeableDocument` that only looks.

    What another document is said to have is as that one's methods give it, checked by nobody: hashes that are
    no numbers are just different ones.
    """

    __slots__ = ()

    _tables: Group[Group[Things]]
    _values: Things

    # -- one cell, and all that lives ------------------------------------------------------------------------

    def get_cell(self, table_id: str, row_id: str, cell_id: str) -> Stored | Undefined:
        """What a cell holds, in its stored form; ``UNDEFINED`` where it was deleted or never was."""
        table = self._tables.children.get(table_id)
        row = None if table is None else table.children.get(row_id)
        stamp = None if row is None else row.stamps.get(cell_id)
        return UNDEFINED if stamp is None else stamp[0]

    def get_value(self, value_id: str) -> Stored | Undefined:
        """What a value holds: as :meth:`get_cell`."""
        stamp = self._values.stamps.get(value_id)
        return UNDEFINED if stamp is None else stamp[0]

    def get_living(self) -> tuple[dict[str, dict[str, dict[str, Stored]]], dict[str, Stored]]:
        """All cells and values that were not deleted, in their stored form."""
        tables: dict[str, dict[str, dict[str, Stored]]] = {}
        for table_id, table in self._tables.children.items():
            rows = {}
            for row_id, row in table.children.items():
                if cells := _living(row):
                    rows[row_id] = cells
            if rows:
                tables[table_id] = rows
        return tables, _living(self._values)

    def get_stamps(
        self,
        tables: Mapping[str, Mapping[str, Iterable[str] | None]],
        values: Iterable[str],
        *,
        with_hashes: bool = False,
    ) -> MergeableChanges:
        """The stamps of places that have one, as changes.

        Args:
            tables: Cells by table and row; ``None`` for all of a row.
            values: Values.
            with_hashes: Whether to give the hashes as well; those of containers are of all that is in them.
        """
        stamp = _hashed_stamp if with_hashes else _stamp
        found = {}
        for table_id, rows in tables.items():
            table = self._tables.children.get(table_id)
            if table is None:
                continue
            found_rows = {}
            for row_id, cell_ids in rows.items():
                row = table.children.get(row_id)
                if row is None:
                    continue
                stamps = row.stamps
                wanted = stamps if cell_ids is None else cell_ids
                if cells := {cell_id: stamp(stamps[cell_id]) for cell_id in wanted if cell_id in stamps}:
                    found_rows[row_id] = _container(cells, row, with_hashes=with_hashes)
            if found_rows:
                found[table_id] = _container(found_rows, table, with_hashes=with_hashes)
        stamps = self._values.stamps
        found_values = {value_id: stamp(stamps[value_id]) for value_id in values if value_id in stamps}
        return [
            _container(found, self._tables, with_hashes=with_hashes),
            _container(found_values, self._values, with_hashes=with_hashes),
            1,
        ]

    def get_hashed_stamps(
        self, tables: Mapping[str, Mapping[str, Iterable[str] | None]], values: Iterable[str]
    ) -> MergeableChanges:
        """The stamps of these cells and values, where there are any, as TinyBase's persisters get changes.

        ``None`` stands for all cells of a row. Rows, tables and both wholes have the hashes of all that is in
        them.
        """
        return self.get_stamps(tables, values, with_hashes=True)

    def get_latest_hlc(self) -> str:
        """The latest stamp of the clock on any cell or value; the empty text where there is none."""
        rows = [row for table in self._tables.children.values() for row in table.children.values()]
        return max((hlc for things in (*rows, self._values) for _, hlc in things.stamps.values()), default="")

    # -- content ---------------------------------------------------------------------------------------------

    def get_content(self) -> MergeableContent:
        """All of it, with stamps and hashes; lists and dictionaries that are the caller's own."""
        with CollectionPaused():
            tables = {
                table_id: [
                    {row_id: _hashed(row) for row_id, row in table.children.items()},
                    table.hlc,
                    table.hash,
                ]
                for table_id, table in self._tables.children.items()
            }
            return [[tables, self._tables.hlc, self._tables.hash], _hashed(self._values)]

    def content_text(self) -> str:
        """The same as JSON text, byte for byte as TinyBase's persisters write it.

        The text of each row is kept until it is written to, so to save again after an edit costs little.
        """
        return f"[{self._tables.text},{self._values.text}]"

    # -- what another one lacks ------------------------------------------------------------------------------

    def get_content_hashes(self) -> list[int]:
        """The hashes of all tables and of all values; two documents that are equal have the same."""
        return [self._tables.hash, self._values.hash]

    def get_table_hashes(self) -> Hashes:
        """The hash of each table."""
        return {table_id: table.hash for table_id, table in self._tables.children.items()}

    def get_table_diff(self, other_table_hashes: Mapping[str, int]) -> list[Any]:
        """Compare tables.

        Args:
            other_table_hashes: :meth:`get_table_hashes` of the other one.

        Returns:
            The stamps of all tables that the other one has not got, and the hashes of those that differ.
        """
        new, differing = {}, {}
        for table_id, table in self._tables.children.items():
            if table_id not in other_table_hashes:
                with CollectionPaused():
                    rows = {row_id: _things(row) for row_id, row in table.children.items()}
                new[table_id] = _with_hlc(rows, table.hlc)
            elif table.hash != other_table_hashes[table_id]:
                differing[table_id] = table.hash
        return [_with_hlc(new, self._tables.hlc), differing]

    def get_row_hashes(self, other_table_hashes: Mapping[str, int]) -> dict[str, Hashes]:
        """The hash of each row of the tables that another one has and that differ."""
        return {
            table_id: {row_id: row.hash for row_id, row in table.children.items()}
            for table_id, other_hash in other_table_hashes.items()
            if (table := self._tables.children.get(table_id)) is not None
            and table.hash != other_hash
            and table.children
        }

    def get_row_diff(self, other_row_hashes: Mapping[str, Mapping[str, int]]) -> list[Any]:
        """Compare rows.

        Args:
            other_row_hashes: :meth:`get_row_hashes` of the other one.

        Returns:
            The stamps of the rows that the other one has not got, and the hashes of those that differ.
        """
        new: dict[str, Any] = {}
        differing: dict[str, Hashes] = {}
        for table_id, other_rows in other_row_hashes.items():
            table = self._tables.children.get(table_id)
            for row_id, row in () if table is None else table.children.items():
                if row_id not in other_rows:
                    new.setdefault(table_id, [{}])[0][row_id] = _things(row)
                elif row.hash != other_rows[row_id]:
                    differing.setdefault(table_id, {})[row_id] = row.hash
        return [_with_hlc(new, self._tables.hlc), differing]

    def get_cell_hashes(
        self, other_row_hashes: Mapping[str, Mapping[str, int]]
    ) -> dict[str, dict[str, Hashes]]:
        """The hash of each cell of the rows that another one has and that differ."""
        found: dict[str, dict[str, Hashes]] = {}
        for table_id, other_rows in other_row_hashes.items():
            table = self._tables.children.get(table_id)
            for row_id, other_hash in () if table is None else other_rows.items():
                row = table.children.get(row_id) if table is not None else None
                if row is not None and row.stamps and row.hash != other_hash:
                    found.setdefault(table_id, {})[row_id] = _hashes(row)
        return found

    def get_cell_diff(self, other_cell_hashes: Mapping[str, Mapping[str, Mapping[str, int]]]) -> list[Any]:
        """The stamps of the cells that another one, whose :meth:`get_cell_hashes` these are, has not got."""
        found: dict[str, Any] = {}
        for table_id, other_rows in other_cell_hashes.items():
            table = self._tables.children.get(table_id)
            for row_id, other_cells in () if table is None else other_rows.items():
                row = table.children.get(row_id) if table is not None else None
                if table is None or row is None:
                    continue
                # TinyBase leaves an empty stamp out everywhere but here.
                if cells := {cell_id: list(stamp) for cell_id, stamp in _differing(row, other_cells)}:
                    rows = found.setdefault(table_id, _with_hlc({}, table.hlc))[0]
                    rows[row_id] = _with_hlc(cells, row.hlc)
        return _with_hlc(found, self._tables.hlc)

    def get_value_hashes(self) -> Hashes:
        """The hash of each value."""
        return _hashes(self._values)

    def get_value_diff(self, other_value_hashes: Mapping[str, int]) -> list[Any]:
        """The stamps of the values that another one, of whom these hashes are, has not got."""
        differing = _differing(self._values, other_value_hashes)
        return _with_hlc({value_id: _stamp(stamp) for value_id, stamp in differing}, self._values.hlc)


def _living(things: Things) -> dict[str, Stored]:
    return {thing_id: stored for thing_id, (stored, _) in things.stamps.items() if stored is not UNDEFINED}


def _hashes(things: Things) -> Hashes:
    return dict(zip(things.stamps, things.cell_hashes, strict=True))


def _differing(things: Things, hashes: Mapping[str, int]) -> list[tuple[str, Stamp]]:
    return [
        (thing_id, stamp)
        for (thing_id, stamp), cell_hash in zip(things.stamps.items(), things.cell_hashes, strict=True)
        if hashes.get(thing_id) != cell_hash
    ]
