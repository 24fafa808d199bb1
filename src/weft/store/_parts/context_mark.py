"""Which task is running, told by a context variable, which is read in nanoseconds.

``asyncio.current_task()`` costs more than two writes of a cell on Python 3.11, and needs asyncio. Every task
has a context of its own, but it begins as a copy of the context in which the task was made, marks and all:
:func:`is_current` tells them apart as well, for some more time.
"""

from __future__ import annotations

from contextvars import ContextVar, Token

__all__ = ["ContextMark", "context_mark", "is_current", "present_mark"]


class ContextMark:
    """The mark of one context. Compared by identity."""

    __slots__ = ("token",)

    def __init__(self) -> None:
        _mark.set(None)  # or the token would keep the context that this one is a copy of
        self.token: Token[ContextMark | None] = _mark.set(self)


_mark: ContextVar[ContextMark | None] = ContextVar("weft.store.context_mark", default=None)

present_mark = _mark.get
"""The mark of the running context, or of the one that it was copied from."""


def context_mark() -> ContextMark:
    """The mark of the running context; it gets one if it has none."""
    mark = _mark.get()
    if mark is not None:
        try:  # is_current, written out: it is on the way into every transaction
            _mark.reset(mark.token)
        except ValueError:
            pass
        else:
            mark.token = _mark.set(mark)
            return mark
    return ContextMark()


def is_current(mark: ContextMark) -> bool:
    """Whether this is the mark of the running context itself, and not of a copy."""
    if _mark.get() is not mark:
        return False
    try:
        _mark.reset(mark.token)  # refused in every context but the one in which it was set
    except ValueError:
        return False
    mark.token = _mark.set(mark)
    return True
