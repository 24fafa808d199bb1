from __future__ import annotations

import gc
from functools import partial
from typing import TYPE_CHECKING, Any
from unittest.mock import AsyncMock, Mock

import pytest

from weft._support.callbacks import check_callback, subscribe, weakly

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable


def test_who_leaves_is_gone_and_leaving_again_does_nothing() -> None:
    callbacks: list[Callable[[], None]] = []
    leave = subscribe(callbacks, callbacks.clear)
    stay = list[int]().clear
    subscribe(callbacks, stay)
    leave()
    assert callbacks == [stay]
    leave()
    assert callbacks == [stay]


def test_a_weak_callback_calls_its_method_as_long_as_the_object_lives() -> None:
    heard: list[tuple[str, int]] = []

    class Listener:
        def hear(self, name: str, number: int) -> None:
            heard.append((name, number))

    listener = Listener()
    hear = weakly(listener.hear)
    hear("a", 1)
    del listener
    gc.collect()
    hear("b", 2)
    assert heard == [("a", 1)]


class Awaited:
    async def __call__(self) -> None: ...

    async def method(self) -> None: ...


async def coroutine_function() -> None: ...


async def generator() -> AsyncIterator[int]:
    yield 1


@pytest.mark.parametrize(
    "callback",
    [coroutine_function, generator, Awaited(), Awaited().method, partial(coroutine_function), AsyncMock()],
    ids=["function", "generator", "object", "method", "partial", "mock"],
)
def test_a_coroutine_function_is_no_callback(callback: Any) -> None:
    with pytest.raises(
        TypeError, match=r"a listener is called and not awaited, so that .* would never run: pass"
    ):
        check_callback(callback)
    with pytest.raises(TypeError, match="a coroutine function"):
        subscribe([], callback)


def test_what_can_be_called_is_a_callback_and_the_rest_is_none() -> None:
    callbacks: list[Any] = [print, len, partial(print), lambda: None, [].append, int, Awaited, Mock()]
    for callback in callbacks:
        check_callback(callback)
    with pytest.raises(TypeError, match="do_rollback must be a function, not str"):
        check_callback("print", "do_rollback")
