"""Callbacks: checking one, entering it into a list and leaving it again, and one that keeps nobody alive."""

from __future__ import annotations

import weakref
from inspect import CO_ASYNC_GENERATOR, CO_COROUTINE, isasyncgenfunction, iscoroutinefunction
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, TypeVar, TypeVarTuple

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["check_callback", "subscribe", "weakly"]

C = TypeVar("C")
Args = TypeVarTuple("Args")

_ASYNC = CO_COROUTINE | CO_ASYNC_GENERATOR


def check_callback(callback: object, what: str = "a listener") -> None:
    """Check that something can be called back by code that does not await.

    Args:
        callback: It.
        what: What it is, as the reader knows it.

    Raises:
        TypeError: It cannot be called, or is a coroutine function, whose coroutine nobody would run.
    """
    if type(callback) is FunctionType and not callback.__code__.co_flags & _ASYNC:
        return  # the commonest, without the questions below
    if not callable(callback):
        raise TypeError(f"{what} must be a function, not {type(callback).__name__}")
    for function in (callback, getattr(type(callback), "__call__", None)):  # noqa: B004 - its method
        if iscoroutinefunction(function) or isasyncgenfunction(function):
            name = getattr(callback, "__qualname__", type(callback).__qualname__)
            raise TypeError(
                f"{what} is called and not awaited, so that {name}, a coroutine function, would never run: "
                "pass an ordinary function that begins a task"
            )


def subscribe(callbacks: list[C], callback: C) -> Callable[[], None]:
    """Enter a callback into a list; returns a function that takes it out, and does nothing called again.

    Raises:
        TypeError: It cannot be called back, as :func:`check_callback` says.
    """
    check_callback(callback)
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
