"""Lists of callbacks: entering one, and leaving it again."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["subscribe"]

C = TypeVar("C")


def subscribe(callbacks: list[C], callback: C) -> Callable[[], None]:
    """Enter a callback into a list; returns a function that takes it out, and does nothing called again."""
    callbacks.append(callback)

    def unsubscribe() -> None:
        if callback in callbacks:
            callbacks.remove(callback)

    return unsubscribe
