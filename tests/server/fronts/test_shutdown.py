"""Everything is closed, whatever becomes of what is closed before it."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from weft.errors import StorageError
from weft.server.fronts.shutdown import close_each


class Part:
    def __init__(self, error: Exception | None = None, *, hangs: bool = False) -> None:
        self.is_closed = False
        self.is_cancelled = False
        self._error = error
        self._hangs = hangs

    async def close(self) -> None:
        if self._hangs:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.is_cancelled = True
                raise
        if self._error is not None:
            raise self._error
        self.is_closed = True


async def test_the_first_error_is_raised_when_all_were_closed(caplog: pytest.LogCaptureFixture) -> None:
    parts = [Part(), Part(OSError("first")), Part(ValueError("second")), Part()]
    with pytest.raises(OSError, match="first"):
        await close_each(10, [(f"part {at}", part.close) for at, part in enumerate(parts)])
    assert [part.is_closed for part in parts] == [True, False, False, True]
    assert [record.getMessage() for record in caplog.records] == ["part 2 could not be closed: second"]


async def test_what_does_not_end_is_left_behind_and_the_others_are_closed() -> None:
    hanging, last = Part(hangs=True), Part()
    with pytest.raises(StorageError, match=r"rooms did not finish within 0\.1 s"):
        await close_each(0.1, [("rooms", hanging.close), ("storage", last.close)])
    await asyncio.sleep(0)
    assert hanging.is_cancelled
    assert last.is_closed


async def test_nor_is_what_does_not_end_when_it_is_cancelled_waited_for() -> None:
    ends = asyncio.Event()

    async def stubborn() -> None:
        while not ends.is_set():
            with suppress(asyncio.CancelledError):
                await ends.wait()

    last = Part()
    with pytest.raises(StorageError, match="did not finish"):
        await close_each(0.0, [("rooms", stubborn), ("storage", last.close)])
    assert last.is_closed
    ends.set()
    await asyncio.sleep(0)


async def test_a_part_that_is_cancelled_is_an_error() -> None:
    async def cancelled() -> None:
        raise asyncio.CancelledError

    last = Part()
    with pytest.raises(StorageError, match="its closing was cancelled"):
        await close_each(1, [("rooms", cancelled), ("storage", last.close)])
    assert last.is_closed
