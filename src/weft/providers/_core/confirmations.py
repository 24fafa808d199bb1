"""Who waits for one document: until it is in sync, or until the server has what was written to it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from weft.errors import ProviderError

if TYPE_CHECKING:
    from collections.abc import Callable

    from weft.providers._core.status import Outcome, StatusTracker

__all__ = ["Confirmations", "denial"]


@dataclass(slots=True, eq=False)
class _Flush:
    """Somebody waits until the server has everything that was written up to a moment."""

    outcome: Outcome
    writes: int  # the count of writes it has to cover
    token: int | None = None  # the session's, while a question is under way


class Confirmations:
    """Counts the writes of one document, and tells those who wait for it.

    A flush is a question to the server, which the session names with a token. The owner asks while
    :attr:`has_questions`, and says so with :meth:`asked`.

    Args:
        tracker: Where waiting is done.
        ask: Called when there is a question to ask, now or as soon as that can be done.
    """

    def __init__(self, tracker: StatusTracker, ask: Callable[[], None]) -> None:
        self._tracker = tracker
        self._ask = ask
        self._flushes: list[_Flush] = []
        self._syncs: list[Outcome] = []
        self._writes = 0  # that did not come from this server
        self._confirmed = 0  # of those, as many as the server has for certain

    @property
    def unconfirmed(self) -> int:
        """How many writes the server has not confirmed."""
        return self._writes - self._confirmed

    @property
    def has_questions(self) -> bool:
        """Whether somebody waits for a confirmation that has not been asked for."""
        return any(flush.token is None and not flush.outcome.done() for flush in self._flushes)

    def wrote(self) -> None:
        """The document was written, and not by this server."""
        self._writes += 1

    async def synced(self, seconds: float | None, what: str = "not synchronised") -> None:
        """Return after :meth:`note_synced`. Raises as ``StatusTracker.wait`` does."""
        outcome: Outcome = asyncio.get_running_loop().create_future()
        self._syncs.append(outcome)
        try:
            await self._tracker.wait(outcome, seconds, what)
        finally:
            self._syncs.remove(outcome)

    async def flush(self, seconds: float | None) -> None:
        """Return when the server has all that was written. Raises as ``StatusTracker.wait`` does."""
        # A question under way that came after the same writes serves this one too.
        asked = [
            other for other in self._flushes if other.writes == self._writes and not other.outcome.done()
        ]
        token = next((other.token for other in asked if other.token is not None), None)
        flush = _Flush(asyncio.get_running_loop().create_future(), self._writes, token)
        self._flushes.append(flush)
        try:
            if token is None:
                self._ask()
            await self._tracker.wait(flush.outcome, seconds, "what was written is not confirmed")
        finally:
            self._flushes.remove(flush)

    def asked(self, token: int) -> None:
        """A question was asked that covers everything written so far."""
        for flush in self._flushes:
            if flush.token is None:
                flush.token = token

    def void_questions(self) -> None:
        """What was asked no longer stands behind all that was written: the answers will say nothing."""
        for flush in self._flushes:
            flush.token = None

    def note_synced(self) -> None:
        """The server's state has been received."""
        _end(self._syncs, None)

    def note_flushed(self, token: int, error: ProviderError | None = None) -> None:
        """A question was answered; with an error, the server will not have what was written."""
        answered = [flush for flush in self._flushes if flush.token == token and not flush.outcome.done()]
        _end([flush.outcome for flush in answered], error)
        if error is None:
            self._confirmed = max([self._confirmed, *[flush.writes for flush in answered]])

    def refuse(self, error: ProviderError, *, syncs: bool = False) -> None:
        """Tell all whose flush waits, and with ``syncs`` the others, that it will not come about."""
        _end([flush.outcome for flush in self._flushes] + (self._syncs if syncs else []), error)


def denial(reason: str) -> ProviderError:
    """The error for a server that says no."""
    return ProviderError(f"the server does not allow what was sent: {reason[:200]!r}")


def _end(outcomes: list[Outcome], error: ProviderError | None) -> None:
    for outcome in outcomes:
        if not outcome.done():
            outcome.set_result(error)
