"""Building much at once without the garbage collector looking through it again and again."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["CollectionPaused"]


class CollectionPaused:
    """A block that builds many containers, all of which are still there at its end.

    The collector is made for what comes and goes: 100,000 lists that stay are looked through several times
    while they are made, which takes three times as long as to make them. The block must not run code of
    others. Where two threads are in one, the collector runs again when the first of them leaves.
    """

    __slots__ = ("_was_enabled",)

    def __enter__(self) -> None:
        self._was_enabled = gc.isenabled()
        gc.disable()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._was_enabled:
            gc.enable()
