"""Where a provider stands: its status, who listens to it, who waits for it, and what went wrong last."""

from __future__ import annotations

import asyncio
import copy
import logging
from typing import TYPE_CHECKING, Literal, TypeAlias

from weft._support.callbacks import check_callback, subscribe
from weft.errors import ProviderError, SyncTimeoutError, WeftError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Outcome", "ProviderStatus", "StatusListener", "StatusTracker"]

ProviderStatus: TypeAlias = Literal["disconnected", "connecting", "connected", "closed"]
StatusListener: TypeAlias = "Callable[[ProviderStatus, bool], None]"

Outcome: TypeAlias = "asyncio.Future[ProviderError | None]"
"""A result, never an exception: asyncio logs one that nobody retrieves because the waiter was cancelled."""

_log = logging.getLogger("weft.providers")


class StatusTracker:
    """The part of a provider that is looked at from outside.

    Args:
        name: How messages call the provider.
        on_error: Receives what went wrong where nobody waits for it; ``None`` logs it.
    """

    def __init__(self, name: str, on_error: Callable[[Exception], None] | None) -> None:
        self.name = name
        self.status: ProviderStatus = "disconnected"
        self.synced = False
        self.last_error: Exception | None = None
        if on_error is not None:
            check_callback(on_error, "on_error")
        self._on_error = on_error
        self._listeners: list[StatusListener] = []
        self._told: tuple[ProviderStatus, bool] = (self.status, self.synced)
        self._waiting: set[Outcome] = set()
        self._logged = ""

    def change(self, *, status: ProviderStatus | None = None, synced: bool | None = None) -> None:
        """Take on a new status and tell the listeners if it is one. Only who is connected is in sync."""
        self.status = status or self.status
        self.synced = (self.synced if synced is None else synced) and self.status == "connected"
        if self.synced:
            self.last_error = None
            self._logged = ""
        if (self.status, self.synced) == self._told:
            return
        self._told = (self.status, self.synced)
        for listener in tuple(self._listeners):
            try:
                listener(self.status, self.synced)
            except Exception as error:  # noqa: BLE001 - the user's listener must not end the connection
                self.report(error)

    def add_listener(self, listener: StatusListener) -> Callable[[], None]:
        """Call ``listener(status, synced)`` at each change; returns a function that ends it."""
        return subscribe(self._listeners, listener)

    def report(self, error: Exception, *, final: bool = False) -> None:
        """Hand an error that nobody waits for to the owner's handler, or to the log.

        Args:
            error: What went wrong.
            final: Nothing is tried again after it.
        """
        self.last_error = error
        if self._on_error is not None:
            try:
                self._on_error(error)
            except Exception:  # noqa: BLE001 - it is the last resort for errors, and it is logged
                _log.exception("%s: the error handler failed", self.name)
            return
        # A server that is away fails every try in the same words: once is news.
        sentence = str(error) or repr(error)
        level = logging.DEBUG if sentence == self._logged else logging.WARNING
        level = logging.ERROR if final else level
        foreign = None if isinstance(error, WeftError) else error  # a bug, ours or the user's: say where
        _log.log(level, "%s: %s", self.name, sentence, exc_info=foreign)
        self._logged = sentence

    async def wait(self, outcome: Outcome, seconds: float | None, what: str) -> None:
        """Wait for an outcome that somebody, or :meth:`release`, will set.

        Args:
            outcome: ``None`` when it came about, otherwise why it will not.
            seconds: How long at most; ``None`` for as long as it takes.
            what: What has not happened, for the message.

        Raises:
            SyncTimeoutError: It took longer.
            ProviderError: The outcome.
        """
        self._waiting.add(outcome)
        try:
            async with asyncio.timeout(seconds):
                error = await outcome
        except TimeoutError:
            last = f"; last error: {self.last_error}" if self.last_error else ""
            limit = round(max(seconds or 0, 0), 3)
            raise SyncTimeoutError(
                f"{what} within {limit:g} s (the provider of {self.name} is {self.status}{last})"
            ) from self.last_error
        finally:
            self._waiting.discard(outcome)
        if error is not None:
            raise copy.copy(error)  # several waiters share it, and each adds its own traceback

    def release(self, error: ProviderError) -> None:
        """Tell everybody who waits that it will not come about."""
        for outcome in self._waiting:
            if not outcome.done():
                outcome.set_result(error)
