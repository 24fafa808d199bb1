"""What each form in which a Durable Object keeps a MergeableStore does, as plans: statements out, rows in."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from weft.persisters._text.persister import ANY, ConflictError
from weft.persisters.sql.dialect import Statement

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weft.documents.mergeable import MergeableChanges, MergeableContent
    from weft.persisters.sql.dialect import Plan

__all__ = ["Form", "has_table", "new_content", "or_none", "table_of", "walk"]


class Form(ABC):
    """One form. What differs whenever content does is its version: the hashes of the whole, or its text."""

    is_whole: ClassVar[bool] = False
    """Whether all is written with each save."""

    @abstractmethod
    def version(self) -> Plan[object]:
        """Read the version; ``None`` where there is nothing."""

    @abstractmethod
    def read(self) -> Plan[MergeableContent | None]:
        """Read the content.

        Raises:
            StorageError: What stands there is none.
        """

    @abstractmethod
    def put(self, stamps: MergeableChanges | MergeableContent) -> Plan[None]:
        """Write stamps, with hashes and with whole rows, beside what there is."""

    def clear(self) -> Plan[None]:
        """Delete what there is, where :meth:`put` would leave any of it."""
        yield from ()

    def load(self) -> Plan[tuple[MergeableContent | None, object]]:
        """Read content and version."""
        version = yield from self.version()
        content = yield from self.read()
        return content, version

    def save(self, stamps: MergeableChanges | MergeableContent, expected: object) -> Plan[object]:
        """Write stamps, if there is what is expected; or, for ``ANY``, in the place of all there is.

        Returns:
            The version that it has then.

        Raises:
            ConflictError: Others have written. Nothing was.
        """
        if expected is ANY:
            yield from self.clear()
        elif (yield from self.version()) != expected:
            raise ConflictError("another wrote")
        yield from self.put(stamps)
        return (yield from self.version())


def has_table(name: str) -> Plan[bool]:
    """Tell whether there is a table."""
    rows = yield Statement("SELECT 1 FROM sqlite_schema WHERE type='table' AND name=?", (name,))
    return bool(rows)


def new_content() -> MergeableContent:
    """Content that holds nothing yet."""
    return [[{}, "", 0], [{}, "", 0]]


def table_of(content: MergeableContent, table_id: str, row_id: str | None = None) -> list[Any]:
    """Give the stamp of a table, or of a row of it, made where there is none."""
    stamp: list[Any] = content[0][0].setdefault(table_id, [{}, "", 0])
    return stamp if row_id is None else stamp[0].setdefault(row_id, [{}, "", 0])


def or_none(content: MergeableContent) -> MergeableContent | None:
    """Content, or ``None`` where it holds nothing."""
    return content if content[0][0] or content[1][0] else None


def walk(stamps: MergeableChanges | MergeableContent) -> Iterator[tuple[tuple[str, ...], list[Any]]]:
    """Give the stamps of the whole, of the tables, and of the rows, each with its path."""
    yield (), stamps[0]
    for table_id, table in stamps[0][0].items():
        yield (table_id,), table
        for row_id, row in table[0].items():
            yield (table_id, row_id), row
