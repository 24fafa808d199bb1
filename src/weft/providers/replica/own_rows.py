"""The rows of a replica that were written here, until the server has confirmed them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft.providers.replica.meta import replace
from weft.providers.replica.pending import Pending

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weft.providers.replica.file import Row
    from weft.providers.replica.meta import Meta

__all__ = ["OwnRows"]


class OwnRows:
    """Those that are not confirmed: kept as they are, or folded.

    Where the log is compacted they cannot be kept one by one. Of those that were folded their number is known
    here, and whatever else is to be known to who has them folded.

    Args:
        rows: Of the file.
        meta: Of the file.

    Attributes:
        last: Number of the last row, whoever wrote it.
        recent: Those that are kept, by number.
    """

    def __init__(self, rows: Sequence[Row], meta: Meta) -> None:
        self.last = rows[-1].number if rows else 0
        self.recent = {row.number: row.data for row in rows if row.is_own and row.number > meta.accounted}
        self._accounted = meta.accounted
        self._folded, self._folded_bytes = meta.folded, meta.folded_bytes
        self._last_folded = 0  # number of the last one that was folded in this session

    def add(self, number: int, data: bytes, *, is_own: bool) -> None:
        """A row was written."""
        self.last = number
        if is_own:
            self.recent[number] = data

    def fold(self, last: int) -> dict[int, bytes]:
        """Only count those up to a number from now on; gives them, by number."""
        folded = {number: data for number, data in self.recent.items() if number <= last}
        for number, data in folded.items():
            del self.recent[number]
            self._folded += 1
            self._folded_bytes += len(data)
            self._last_folded = number
        self._accounted = max(self._accounted, last)
        return folded

    def lost(self) -> None:
        """The server has lost something that it had confirmed."""
        self._folded += 1

    def owe(self, size: int) -> None:
        """The server lacks something of so many bytes, of which nothing else is known."""
        if not self.pending():
            self._folded, self._folded_bytes = 1, size

    def confirmed(self, last: int) -> bool:
        """The server has those up to a number; whether that is all that was folded."""
        self.recent = {number: data for number, data in self.recent.items() if number > last}
        self._accounted = max(self._accounted, last)
        if last < self._last_folded:  # some of that came after the question
            return False
        self._folded = self._folded_bytes = 0
        return True

    def pending(self) -> Pending:
        """How much they are."""
        size = sum(map(len, self.recent.values()))
        return Pending(self._folded + len(self.recent), self._folded_bytes + size)

    def note(self, meta: Meta) -> Meta:
        """What is to stand in the file of them."""
        return replace(meta, accounted=self._accounted, folded=self._folded, folded_bytes=self._folded_bytes)
