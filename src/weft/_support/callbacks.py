"""Callbacks: entering one into a list and leaving it again, and one that keeps nobody alive."""

from __future__ import annotations

import weakref
from types import MethodType
from typing import TYPE_CHECKING, TypeVar, TypeVarTuple

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["subscribe", "weakly"]

C = TypeVar("C")
Args = TypeVarTuple("Args")


def subscribe(callbacks: list[C], callback: C) -> Callable[[], None]:
    """Enter a callback into a list; returns a function that takes it out, and does nothing called again."""
    callbacks.append(callback)

    def unsubscribe() -> None:
        if callback in callbacks:
            callbacks.remove(callback)

    return unsubscribe


def weakly(method: Callable[[*Args], None]) -> Callable[[*Args], None]:
    """A function that calls a method as long as its object lives, and does not keep the object alive.

    Where the object holds what holds the function, the method itself would be a cycle.
    """
    assert isinstance(method, MethodType)  # noqa: S101 - for the type checker
    reference, function = weakref.ref(method.__self__), method.__func__

    def call(*args: *Args) -> None:
        target = reference()
        if target is not None:
            function(target, *args)

    return call
