"""What a Store holds, and which path a write takes."""

from __future__ import annotations

import pytest

from weft import Store
from weft.store.replica import Replica


def test_how_to_treat_bad_data_is_one_of_two_words() -> None:
    with pytest.raises(ValueError, match="on_invalid"):
        Store(on_invalid="explode")  # type: ignore[arg-type]


def test_hooks_are_called_when_an_outermost_transaction_is_over_however_it_ended() -> None:
    store = Store().set_value("v", 1)
    calls: list[object] = []
    store.add_did_finish_transaction_listener(lambda _: None)

    def hook() -> None:
        assert not Replica(store).is_busy
        calls.append(store.get_value("v"))
        if store.get_value("v") == 2:
            store.set_value("v", 3)

    unhook = store._on_transaction_end(hook)
    with store.transaction(), store.transaction():
        assert Replica(store).is_busy
        store.set_value("v", 2)
    assert calls == [2, 3]
    with pytest.raises(ZeroDivisionError):
        store.transaction(lambda: 1 / 0)
    assert calls == [2, 3, 3]
    store.set_cell("t", "r", "a", 9)
    assert len(calls) == 4
    unhook()
    store.set_value("v", 5)
    assert len(calls) == 4
