"""The JSON form of a Durable Object: the content as text in one cell, as in other SQLite databases."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from weft.documents.mergeable import from_json, to_json
from weft.errors import InvalidJsonError, StorageError
from weft.persisters._text.persister import ANY
from weft.persisters.durable_objects.form import Form
from weft.persisters.sql.json_cell import JsonCell, fetch_plan, put_plan
from weft.persisters.sqlite.dialect import SqliteDialect

if TYPE_CHECKING:
    from weft.documents.mergeable import MergeableChanges, MergeableContent
    from weft.persisters.sql.dialect import Plan

__all__ = ["JsonForm"]

_DIALECT = SqliteDialect()


class JsonForm(Form):
    """One cell.

    Args:
        table: The name of its table.
    """

    is_whole: ClassVar[bool] = True

    def __init__(self, table: str) -> None:
        self._cell = JsonCell(table)

    def version(self) -> Plan[object]:
        """A digest of the text."""
        return (yield from fetch_plan(_DIALECT, self._cell))[1]

    def read(self) -> Plan[MergeableContent | None]:
        """Read the text."""
        data, _ = yield from fetch_plan(_DIALECT, self._cell)
        if not data:
            return None
        try:
            content: MergeableContent = from_json(data)
        except InvalidJsonError as error:
            raise StorageError(f"what is stored is not JSON text: {error}") from error
        return content

    def put(self, stamps: MergeableChanges | MergeableContent) -> Plan[None]:
        """Replace the text."""
        yield from put_plan(_DIALECT, self._cell, to_json(stamps).encode(), ANY)
