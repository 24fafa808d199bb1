"""Who hears of commits."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from weft.server.storage.contract import CommitListener

__all__ = ["CommitListeners"]

_log = logging.getLogger("weft.server")


class CommitListeners:
    """Functions that are called with what was committed. Of one event loop."""

    def __init__(self) -> None:
        self._listeners: list[CommitListener] = []

    def __bool__(self) -> bool:
        return bool(self._listeners)

    def add(self, listener: CommitListener) -> Callable[[], None]:
        """Call a function from now on; returns what ends it."""
        self._listeners.append(listener)

        def remove() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return remove

    def tell(self, room: str, number: int, updates: Sequence[bytes]) -> None:
        """Tell all. One that raises is logged, and stops neither the others nor the storage."""
        for listener in tuple(self._listeners):
            try:
                listener(room, number, updates)
            except Exception:  # noqa: BLE001 - what was committed is committed, whatever a listener makes of it
                _log.exception("room %.200r: a listener to commits failed", room)
