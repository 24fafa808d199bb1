"""How a Store lies in the tables of a database: TinyBase's ``DatabasePersisterConfig`` in Python.

TinyBase 10.0.1, ``DpcTabular``. Its defaults are ours.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from weft._support.arguments import check_seconds, wrong_kind
from weft.persisters.sql.names import TABLE_NAME, check_name, check_table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["VALUES_ID", "TableLoad", "TableSave", "TablesConfig", "ValuesTable"]

VALUES_ID = "_id"
"""Column of the row id in the table of values."""
_ALL = "true"


def _check_condition(condition: str | None) -> None:
    if condition is not None and condition != _ALL and TABLE_NAME not in condition:
        raise ValueError(f"a condition must name its columns as {TABLE_NAME}.column: {condition!r}")


def _check(name: str, what: str) -> None:
    reason = check_table(name) if what == "table" else check_name(name)
    if reason is not None:
        raise ValueError(f"{what} {name!r}: {reason}")


@dataclass(frozen=True, slots=True)
class TableLoad:
    """How a table of the database is loaded.

    Attributes:
        table_id: Table of the Store.
        row_id_column_name: Column that holds the row ids.
        condition: SQL that says which rows; ``$tableName`` stands for the table. Trusted: never build it from
            what others sent.
    """

    table_id: str
    row_id_column_name: str = "_id"
    condition: str = _ALL

    def __post_init__(self) -> None:
        _check(self.row_id_column_name, "column")
        _check_condition(self.condition)


@dataclass(frozen=True, slots=True)
class TableSave:
    """How a table of the Store is saved.

    Attributes:
        table_name: Table of the database; made when it is not there.
        row_id_column_name: Column that holds the row ids.
        columns: The only cells that are saved, where peers you do not trust write to the Store; ``None`` for
            all. Others are left out and reported.
        delete_empty_columns: Whether a full save drops columns that no row uses.
        delete_empty_table: Whether a full save drops the table when it has no rows.
        condition: SQL that says which rows may be changed or deleted; that of loading the same table where
            ``None``. Trusted.
    """

    table_name: str
    row_id_column_name: str = "_id"
    columns: Sequence[str] | None = None
    delete_empty_columns: bool = False
    delete_empty_table: bool = False
    condition: str | None = None

    def __post_init__(self) -> None:
        _check(self.table_name, "table")
        _check(self.row_id_column_name, "column")
        _check_condition(self.condition)


@dataclass(frozen=True, slots=True)
class ValuesTable:
    """How the keyed values lie in a table of one row, whose id is ``_``.

    Attributes:
        load: Whether to load them, or which.
        save: Whether to save them, or which.
        table_name: The table.
    """

    load: bool | Sequence[str] = False
    save: bool | Sequence[str] = False
    table_name: str = "tinybase_values"

    def __post_init__(self) -> None:
        _check(self.table_name, "table")


@dataclass(frozen=True, slots=True)
class TablesConfig:
    """Which tables of a database are loaded and saved. What is not listed is left alone.

    A table of another schema, or of a database that is attached in SQLite, is ``"app.pets"``; a table whose
    own name has a dot in it is written in double quotes, ``'"a.b"'``.

    Attributes:
        load: Table of the database to table id, or :class:`TableLoad`.
        save: Table id to table of the database, or :class:`TableSave`; one table for each, unless their
            conditions differ.
        values: The keyed values.
        nulls: What SQL's NULL is: ``"null"``, the cell ``None``, as in TinyBase; or ``"absent"``, no cell.
            Both are saved as NULL.
        auto_load_interval_seconds: How often auto-load looks for changes, where the database cannot tell.
    """

    load: Mapping[str, str | TableLoad] = field(default_factory=dict)
    save: Mapping[str, str | TableSave] = field(default_factory=dict)
    values: ValuesTable = field(default_factory=ValuesTable)
    nulls: Literal["null", "absent"] = "null"
    auto_load_interval_seconds: float = 1.0

    @classmethod
    def of(cls, config: TablesConfig) -> TablesConfig:
        """Take a configuration.

        Raises:
            TypeError: It is something else, such as a dictionary.
        """
        if not isinstance(config, TablesConfig):
            raise wrong_kind("a weft.persisters.TablesConfig", config)
        return config

    _loads: dict[str, TableLoad] = field(init=False, repr=False, compare=False)
    _saves: dict[str, TableSave] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.nulls not in {"null", "absent"}:
            raise ValueError(f'nulls must be "null" or "absent", not {self.nulls!r}')
        check_seconds("auto_load_interval_seconds", self.auto_load_interval_seconds)
        for name in self.load:
            _check(name, "table")
        # Worked out once: each save of a cell asks for them.
        object.__setattr__(self, "_loads", self._find_loads())
        object.__setattr__(self, "_saves", self._find_saves())

    def loads(self) -> Mapping[str, TableLoad]:
        """The tables to load; one with the values table's name is not."""
        return self._loads

    def saves(self) -> Mapping[str, TableSave]:
        """The tables to save, each with its condition."""
        return self._saves

    def tables_loaded(self) -> dict[str, str]:
        """All tables of the database that are loaded, each with the column of its row ids."""
        tables = {name: load.row_id_column_name for name, load in self._loads.items()}
        return tables | {self.values.table_name: VALUES_ID} if self.values.load else tables

    def tables_saved(self) -> list[str]:
        """All tables of the database that are saved to."""
        names = [save.table_name for save in self._saves.values()]
        return [*names, self.values.table_name] if self.values.save else names

    def _find_loads(self) -> dict[str, TableLoad]:
        return {
            name: TableLoad(how) if isinstance(how, str) else how
            for name, how in self.load.items()
            if name != self.values.table_name
        }

    def _find_saves(self) -> dict[str, TableSave]:
        saves: dict[str, TableSave] = {}
        places: dict[tuple[str, str | None], str] = {}
        for table_id, how in self.save.items():
            table = TableSave(how) if isinstance(how, str) else how
            if table.table_name == self.values.table_name:
                continue
            if table.condition is None:
                load = self._loads.get(table.table_name)
                table = replace(table, condition=_ALL if load is None else load.condition)
            saves[table_id] = table
            other = places.setdefault((table.table_name, table.condition), table_id)
            if other != table_id:
                # Each save would delete the other's rows.
                raise ValueError(f"{other!r} and {table_id!r} are both saved in table {table.table_name!r}")
        return saves
