from __future__ import annotations

import gc
from typing import TYPE_CHECKING

from weft._support.callbacks import subscribe, weakly

if TYPE_CHECKING:
    from collections.abc import Callable


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
