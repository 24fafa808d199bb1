"""Both sides take in what others have stored up to one moment, and neither more before the other."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from support.servers import eventually
from weft.errors import StorageError
from weft.server.intake import Intake

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence


class Sides:
    """Two rooms that write down what they take in, and a storage that is asked how far they are."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, Sequence[bytes]]] = []
        self.heads = {"y": 0, "a": 0}
        self.asked = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.error: Exception | None = None
        self.intake = Intake(
            {"y": lambda got: self.take("y", got), "a": lambda got: self.take("a", got)}, self.ask
        )

    def take(self, name: str, updates: Sequence[bytes]) -> None:
        self.taken.append((name, updates))
        if b"bad" in updates:
            raise RuntimeError("bad")

    async def ask(self, names: Collection[str]) -> dict[str, int]:
        assert set(names) == {"y", "a"}
        self.asked += 1
        heads = dict(self.heads)
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        return heads


async def test_what_is_behind_the_moment_waits_for_the_next() -> None:
    sides = Sides()
    sides.gate.clear()
    sides.heads = {"y": 2, "a": 1}
    sides.intake.add("y", [b"1", b"2"], [1, 2])
    await eventually(lambda: sides.asked == 1)
    sides.intake.add("y", [b"3"], [3])
    sides.intake.add("a", [b"1", b"2"], [1, 2])
    sides.heads = {"y": 3, "a": 2}
    sides.gate.set()
    await eventually(lambda: sides.intake.is_empty)
    assert sides.taken == [("y", [b"1", b"2"]), ("a", [b"1"]), ("y", [b"3"]), ("a", [b"2"])]


async def test_many_who_ask_at_once_share_the_next_answer() -> None:
    sides = Sides()
    sides.gate.clear()
    calls = [asyncio.create_task(sides.intake.take_in()) for _ in range(10)]
    await eventually(lambda: sides.asked == 1)
    sides.gate.set()
    await asyncio.gather(*calls)
    assert sides.asked == 2  # the first had begun before some of them


async def test_a_storage_that_is_away_is_asked_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("weft.server.intake._RETRY_S", 0.0)
    sides = Sides()
    sides.heads = {"y": 1}
    sides.error = StorageError("away")
    sides.intake.add("y", [b"1"], [1])
    await eventually(lambda: sides.asked > 2)
    with pytest.raises(StorageError, match="away"):
        await sides.intake.take_in()
    assert sides.taken == []
    sides.error = None
    await eventually(lambda: sides.intake.is_empty)
    assert sides.taken == [("y", [b"1"])]
    assert [record.message for record in caplog.records] == ["what other processes have stored waits: away"]


async def test_one_sides_fault_is_not_the_others(caplog: pytest.LogCaptureFixture) -> None:
    sides = Sides()
    sides.heads = {"y": 1, "a": 1}
    sides.intake.add("y", [b"bad"], [1])
    sides.intake.add("a", [b"1"], [1])
    await eventually(lambda: sides.intake.is_empty)
    assert sides.taken == [("y", [b"bad"]), ("a", [b"1"])]
    assert "could not be taken in" in caplog.text


async def test_a_side_that_goes_on_alone_takes_in_what_it_has_got() -> None:
    sides = Sides()
    sides.gate.clear()
    sides.intake.add("y", [b"1"], [1])
    sides.intake.close()
    assert ("y", [b"1"]) in sides.taken
    assert sides.intake.is_empty


async def test_what_was_deleted_is_waited_for_by_nobody() -> None:
    sides = Sides()
    sides.heads = {"y": -1, "a": -1}
    sides.intake.add("y", [b"1"], [1])
    await eventually(lambda: sides.intake.is_empty)
    assert sides.taken == []
