from __future__ import annotations

from typing import TYPE_CHECKING

from weft._support.callbacks import subscribe

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
