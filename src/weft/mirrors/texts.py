"""Edits of texts that wait for the other side: what each becomes when that one edits the text, too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft.deltas import apply, compose, from_cell, to_cell, transform

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from weft.deltas import Delta
    from weft.store.replica import RawTables, Replica, TextKey

__all__ = ["TextDebts"]


class TextDebts:
    """What a mirror owes of texts to its document, and what it has yet to tell the Store."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica
        self._owed: dict[TextKey, Delta] = {}
        # Of the document while a Store transaction is open, whose edits do not know of it.
        self._waiting: dict[TextKey, Delta] = {}

    def clear(self) -> None:
        """Forget everything."""
        self._owed.clear()
        self._waiting.clear()

    def owe(self, edits: Mapping[TextKey, Delta]) -> None:
        """Take edits that the document could not be given."""
        for key, delta in edits.items():
            self._owed[key] = compose(self._owed.get(key, ()), delta)

    def take_owed(self) -> dict[TextKey, Delta]:
        """Give what is owed, which is owed no more."""
        owed, self._owed = self._owed, {}
        return owed

    def wait(self, deltas: Mapping[TextKey, Delta]) -> None:
        """Take edits of the document that the Store cannot be told yet."""
        for key, delta in deltas.items():
            self._waiting[key] = compose(self._waiting.get(key, ()), delta)

    def take_waiting(self) -> dict[TextKey, Delta]:
        """Give what the Store has yet to be told, as it is after the Store's own edits."""
        waiting, self._waiting = self._waiting, {}
        return waiting

    @property
    def late(self) -> Collection[TextKey]:
        """The texts of which the Store has yet to be told."""
        return self._waiting.keys()

    def rebase_own(self, edits: dict[TextKey, Delta]) -> dict[TextKey, Delta]:
        """Give a transaction's own edits as they are after what the document got meanwhile."""
        for key in self._waiting.keys() & edits.keys():
            own, other = edits[key], self._waiting[key]
            edits[key] = transform(other, own, first=True)
            self._waiting[key] = transform(own, other, first=False)
        return edits

    def rebase_received(self, tables: RawTables, deltas: dict[TextKey, Delta]) -> None:
        """Have what the document holds, and its deltas, be what they are after the edits that it is owed."""
        for key in self._owed.keys() & deltas.keys():
            table_id, row_id, cell_id = key
            cell = self._replica.tables.get(table_id, {}).get(row_id, {}).get(cell_id)
            if not isinstance(cell, str):
                continue
            owed, delta = self._owed[key], deltas[key]
            rebased = transform(owed, delta, first=False)
            try:
                text = apply(from_cell(cell), rebased)
            except ValueError:  # they were never of one text
                continue
            self._owed[key] = transform(delta, owed, first=True)
            deltas[key] = rebased
            tables[table_id][row_id][cell_id] = to_cell(text)
