"""What differs between databases, so that the planning of loads and saves does not."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping, Sequence

__all__ = [
    "OTHER_FORM",
    "Column",
    "Dialect",
    "ForeignKey",
    "Plan",
    "RefusedError",
    "Statement",
    "TableInfo",
]

R = TypeVar("R")

OTHER_FORM = "the database writes this id in another form, and takes it for that of another row"


class Statement(NamedTuple):
    """One statement to run; for each of the rows of parameters where ``many``.

    Where ``lenient``, a row that the database refuses (by a constraint, a type, a trigger) stops nothing: the
    plan is given the number of each such row of ``many``, with the reason. What it refuses otherwise (a
    single statement; or any, for want of a right, a column, or something to write to) is thrown into the plan
    as :class:`RefusedError`, and the transaction goes on.

    ``triggers`` says that the table has some. One that fails by ``RAISE(FAIL)`` leaves in a table of SQLite
    even what it refuses, which is then to be taken out.
    """

    sql: str
    params: Sequence[Any] = ()
    many: bool = False
    lenient: bool = False
    triggers: bool = False


class RefusedError(Exception):
    """A lenient statement was refused.

    Attributes:
        row: Whether for what was written, and not for the statement, which is then of no use for any row.
    """

    def __init__(self, reason: str, *, row: bool) -> None:
        super().__init__(reason)
        self.row = row


Plan: TypeAlias = "Generator[Statement, list[Sequence[Any]], R]"
"""What is to be done in one transaction: gives statements, and is given the rows of each."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column as the database has it: its name and its declared type, in capitals, possibly empty."""

    name: str
    type: str


@dataclass(slots=True)
class TableInfo:
    """A table as the database has it.

    Attributes:
        name: Its name there, after that of its schema if the program names that.
        sql: The same, quoted.
        columns: Folded name to column.
        unique: Folded names of the columns that alone name a row.
        required: Folded names of the columns that a new row must have.
        computed: Folded names of further columns, which the database fills and nobody writes.
        defaults: Folded names of the columns that have a default.
        collated: Folded names of the columns that may take different texts for one, such as ``a`` and ``A``.
        schema: The schema that the program names, if it does.
        related: Whether it may have triggers or foreign keys, or be referred to by them.
        has_triggers: Whether others' triggers may change what is written; known where it is to be written.
        keeps_out: Whether one of them may keep a row out without an error.
    """

    name: str
    sql: str
    columns: dict[str, Column] = field(default_factory=dict)
    unique: set[str] = field(default_factory=set)
    required: set[str] = field(default_factory=set)
    computed: set[str] = field(default_factory=set)
    defaults: set[str] = field(default_factory=set)
    collated: set[str] = field(default_factory=set)
    has_triggers: bool = False
    keeps_out: bool = False
    schema: str = ""
    related: bool = False


@dataclass(slots=True)
class ForeignKey:
    """A foreign key that the database enforces.

    Attributes:
        child: Folded name of the table that has it, as the program calls it.
        parent: Folded name of the table it refers to, likewise.
        child_sql: The former, quoted.
        parent_sql: The latter, quoted.
        acts: Whether deleting a row of the parent changes or deletes rows of the child.
        deferrable: Whether it can wait for the end of the transaction.
        columns: Those of the child, each with that of the parent.
    """

    child: str
    parent: str
    child_sql: str
    parent_sql: str
    acts: bool
    deferrable: bool
    columns: list[tuple[str, str]] = field(default_factory=list)


class Dialect(ABC):
    """A kind of database."""

    max_name_bytes: int | None = None
    max_columns: int
    id_type: str
    """Declared type of a row id column that we make."""

    @abstractmethod
    def mark(self, number: int, column_type: str = "") -> str:
        """The mark of a parameter, counted from 1, for a column of this type."""

    def read(self, quoted: str, column_type: str) -> str:
        """The expression that reads a column; its quoted name, unless a type needs more."""
        return quoted

    def row_id(self, row_id: Any) -> Any:
        """Turn a row id that was read into what :meth:`mark` takes."""
        return row_id

    @abstractmethod
    def fold(self, name: str) -> str:
        """Bring names that the database takes for one into one form."""

    @abstractmethod
    def refusal(self, name: str, *, table: bool) -> str | None:
        """Say why a table, or a column, of this name is not to be made, or ``None``."""

    def refused_rows(self, row_ids: Iterable[str], column_type: str) -> Mapping[str, str]:
        """Row ids that a column of this type cannot hold as they are, each with the reason."""
        return {}

    def stored_ids(
        self, info: TableInfo, id_column: Column, row_ids: Iterable[str]
    ) -> Plan[dict[str, list[Any]]]:
        """Find row ids that the database has in another form than text, where a column can hold both.

        Returns:
            Of those, each with all that the column has for it.
        """
        del info, id_column, row_ids
        yield from ()
        return {}

    def cell_refusal(self, column_type: str) -> Callable[[str], str | None] | None:
        """What says why a column cannot hold a text in stored form; ``None``: it holds any."""
        return None

    @abstractmethod
    def schema(self, tables: Sequence[str], schema: str = "") -> list[Statement]:
        """Queries of ``(table, column, type, unique, required, default, collated, related)`` in a schema.

        Without a type, it is a column known to be unique besides, or one that the database computes. Without
        a schema, it is the usual one. Unless a table is related, :meth:`relations` need not be asked.
        """

    @abstractmethod
    def relations(self, tables: Sequence[str], schema: str = "") -> Statement:
        """Query what writing to tables of a schema sets off.

        Of ``(table, key, parent, on delete, column, parent column, deferrable)`` for each column of each
        foreign key that is enforced, of and to these tables; without a key, for a table with triggers, where
        the last tells whether one may keep a row out without an error.
        """

    defer: Statement
    """Has foreign keys wait for the end of the transaction, those that can."""
    at_once: Statement | None = None
    """Has none of them wait. Where there is no such statement, keys that wait are looked at by the plan."""

    def is_strict(self, info: TableInfo) -> Plan[bool]:
        """Whether the columns of a table that is there must have a type."""
        del info
        yield from ()
        return False

    @abstractmethod
    def new_column(self, kind: str | None, *, strict: bool = False) -> str:
        """Declared type of a column that we make.

        Args:
            kind: Type in the Store's schema, if it has one.
            strict: Whether its table takes no column without a type.
        """

    @abstractmethod
    def encoder(self, column_type: str) -> Callable[[Any], Any] | None:
        """How a cell in stored form is written into a column; ``None``: as it is."""

    @abstractmethod
    def decoder(self, column_type: str) -> Callable[[Any], Any] | None:
        """How a cell is read from a column; ``None``: as it is."""
