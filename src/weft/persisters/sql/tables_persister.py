"""What the persisters of tables share, whichever the database."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft.errors import StorageError
from weft.persisters._core.persister import Persister
from weft.persisters._core.polling import Polling

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from weft.persisters._core.unsaved import StoredChanges
    from weft.persisters.sql.config import TablesConfig
    from weft.persisters.sql.table_writer import LeftOut
    from weft.store import Store

__all__ = ["TablesPersister"]


class TablesPersister(Persister):
    """A persister whose saves may leave something out."""

    def __init__(
        self,
        store: Store,
        config: TablesConfig,
        *,
        on_ignored_error: Callable[[Exception], object] | None,
        connection: object = None,
    ) -> None:
        super().__init__(store, on_ignored_error=on_ignored_error, connection=connection)
        self._config = config
        self._left_out: LeftOut = {}

    def _tell(self, left_out: LeftOut) -> None:
        """Report what a save has left out, once and not with every save; rows of it stay unsaved."""
        table_ids = {save.table_name: table_id for table_id, save in self._config.saves().items()}
        for what, sentence in left_out.items():
            if what not in self._left_out:
                self._report(StorageError(sentence))
            if what[0] == "row" and what[1] in table_ids:
                self._journal.leave_row(table_ids[what[1]], what[2])
        # Rows go along with each save: those that are not among these have been saved.
        self._left_out = {what: told for what, told in self._left_out.items() if what[0] != "row"} | left_out

    def _holds(self, changes: StoredChanges | None) -> bool:
        """Whether a save has left something in the tables, or has taken it out."""
        tables, values = (
            (self._journal.replica.tables, self._journal.replica.values) if changes is None else changes[:2]
        )
        saved = bool(tables.keys() & self._config.saves().keys())
        return saved or bool(values and self._config.values.save)

    def _look(self, changed: Callable[[], Awaitable[bool]], listener: Callable[..., None]) -> Polling:
        """Ask every ``auto_load_interval_seconds`` whether others changed something, and tell of it."""

        async def look() -> None:
            async with self._turns.turn():  # not while a save of ours is half-way
                news = await changed()
            if news:
                listener()

        return Polling(self._config.auto_load_interval_seconds, look, self._report)
