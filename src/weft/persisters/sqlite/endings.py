"""Rows that end the transaction they are written in, so that the others are written without them.

That is what ``RAISE(ROLLBACK)`` does in a trigger, and ``ON CONFLICT ROLLBACK`` in a constraint: SQLite rolls
back all that was written before. The plan is run again, and again, each time without the rows that are known
by then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["EndedError", "Endings"]

_MAX_ROWS = 100  # that cost a run each; with more of them all that their statements write is refused


class EndedError(Exception):
    """A statement has ended the transaction: nothing was written.

    Attributes:
        sql: The statement.
        params: Its parameters; ``None`` where it was run for many rows, and it is not known for which.
        reason: Why.
    """

    def __init__(self, sql: str, params: Sequence[Any] | None, reason: str) -> None:
        super().__init__(reason)
        self.sql = sql
        self.params = params
        self.reason = reason


class Endings:
    """What has ended the transaction of one plan, by statement and row."""

    def __init__(self) -> None:
        self._statements: dict[str, str] = {}
        self._rows: dict[tuple[str, tuple[Any, ...]], str] = {}

    def __contains__(self, sql: str) -> bool:
        """Whether this statement has; it is then to be run row by row."""
        return sql in self._statements

    def note(self, ended: EndedError) -> None:
        """Note one more; no two are the same, as what is noted is not run again."""
        self._statements[ended.sql] = ended.reason
        if ended.params is not None:
            self._rows[ended.sql, tuple(ended.params)] = ended.reason

    def reason(self, sql: str, params: Sequence[Any]) -> str | None:
        """Why a statement is not to be run for a row; ``None`` where it is."""
        return self._rows.get((sql, tuple(params))) if self._rows else None

    def refusal(self, sql: str) -> str | None:
        """Why a statement is not to be run for any row; ``None`` where it is."""
        if len(self._rows) < _MAX_ROWS or sql not in self._statements:
            return None
        return f"{self._statements[sql]}; this ends the transaction, for more than {_MAX_ROWS} rows"
