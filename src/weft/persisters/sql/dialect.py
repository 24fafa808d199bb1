"""What differs between databases, so that the planning of loads and saves does not."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping, Sequence

__all__ = ["OTHER_FORM", "Column", "Dialect", "Plan", "Statement", "TableInfo"]

R = TypeVar("R")

OTHER_FORM = "the database writes this id in another form, and takes it for that of another row"


class Statement(NamedTuple):
    """One statement to run; for each of the rows of parameters where ``many``.

    Where ``lenient``, a row that the database refuses (by a constraint, a type, a trigger) stops nothing: the
    plan is given the number of each such row of ``many``, with the reason; or of a single one no rows.
    """

    sql: str
    params: Sequence[Any] = ()
    many: bool = False
    lenient: bool = False


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
        name: Its name there.
        columns: Folded name to column.
        unique: Folded names of the columns that alone name a row.
        required: Folded names of the columns that a new row must have.
        computed: Folded names of further columns, which the database fills and nobody writes.
    """

    name: str
    columns: dict[str, Column] = field(default_factory=dict)
    unique: set[str] = field(default_factory=set)
    required: set[str] = field(default_factory=set)
    computed: set[str] = field(default_factory=set)


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

    @abstractmethod
    def fold(self, name: str) -> str:
        """Bring names that the database takes for one into one form."""

    @abstractmethod
    def refusal(self, name: str, *, table: bool) -> str | None:
        """Say why a table, or a column, of this name is not to be made, or ``None``."""

    def refused_rows(self, row_ids: Iterable[str], column_type: str) -> Mapping[str, str]:
        """Row ids that a column of this type cannot hold as they are, each with the reason."""
        return {}

    def cell_refusal(self, column_type: str) -> Callable[[str], str | None] | None:
        """What says why a column cannot hold a text in stored form; ``None``: it holds any."""
        return None

    @abstractmethod
    def schema(self, tables: Sequence[str]) -> list[Statement]:
        """Queries of ``(table, column, type, unique, required)``.

        Without a type, it is a column known to be unique besides, or one that the database computes.
        """

    @abstractmethod
    def new_column(self, kind: str | None) -> str:
        """Declared type of a column that we make, given the type in the Store's schema, if it has one."""

    @abstractmethod
    def encoder(self, column_type: str) -> Callable[[Any], Any] | None:
        """How a cell in stored form is written into a column; ``None``: as it is."""

    @abstractmethod
    def decoder(self, column_type: str) -> Callable[[Any], Any] | None:
        """How a cell is read from a column; ``None``: as it is."""
