"""Ways to wait for a persister, and to hold up or break a verb of it."""

from __future__ import annotations

import asyncio

import pytest

from weft.errors import StorageError
from weft.persisters import MappingPersister
from weft.store import Store
from weft.testing.persisters import PETS, Failing, Gate, until


async def test_until_takes_plain_and_awaitable_conditions_and_gives_up() -> None:
    asked: list[None] = []

    def third() -> bool:
        asked.append(None)
        return len(asked) == 3

    async def fifth() -> bool:
        asked.append(None)
        return len(asked) == 5

    await until(third)
    await until(fifth)
    assert len(asked) == 5
    with pytest.raises(AssertionError, match="not within 0 s"):
        await until(lambda: False, seconds=0)


@pytest.mark.parametrize("verb", ["read", "write"])
async def test_a_gate_holds_a_verb_until_it_is_let_through(verb: str) -> None:
    mapping = {"store": Store().set_content(PETS).get_json()}
    async with MappingPersister(store := Store(), mapping) as persister:
        gate = Gate(persister, verb)
        work = asyncio.create_task(persister.load() if verb == "read" else persister.save())
        await gate.reached.wait()
        assert not work.done()
        # A read has seen the place by then; a write has not begun.
        assert mapping["store"] == Store().set_content(PETS).get_json()
        assert not store.has_tables()
        gate.open.set()
        await work
    assert store.has_tables() == (verb == "read")
    assert (mapping["store"] == "[{},{}]") == (verb == "write")


async def test_a_verb_fails_as_often_as_it_is_told_to() -> None:
    mapping: dict[str, str] = {}
    async with MappingPersister(Store().set_content(PETS), mapping) as persister:
        failing = Failing(persister, "write", 2)
        for left in (1, 0):
            with pytest.raises(StorageError, match="made to fail"):
                await persister.save()
            assert failing.times == left
        await persister.save()
    assert "store" in mapping
