"""Who waits for a document: questions are asked once, and each answer reaches those it is for."""

from __future__ import annotations

import asyncio

import pytest

from weft.errors import ProviderError, SyncTimeoutError
from weft.providers._core.confirmations import Waiting, denial
from weft.providers._core.status import Standing


class Asked:
    """A waiting, and how often it had something to ask."""

    def __init__(self) -> None:
        self.times = 0
        self.waiting = Waiting(Standing("here", None), self._ask)

    def _ask(self) -> None:
        self.times += 1

    async def flush(self) -> asyncio.Task[None]:
        """Begin to wait."""
        task = asyncio.create_task(self.waiting.flush(10))
        await asyncio.sleep(0)
        return task


async def test_an_answer_confirms_what_was_written_before_its_question() -> None:
    asked = Asked()
    asked.waiting.wrote()
    first = await asked.flush()
    assert asked.waiting.has_questions
    asked.waiting.asked(1)
    asked.waiting.wrote()
    second = await asked.flush()
    asked.waiting.asked(2)
    asked.waiting.note_flushed(1)
    await first
    assert asked.waiting.unconfirmed
    assert not second.done()
    asked.waiting.note_flushed(2)
    await second
    assert not asked.waiting.unconfirmed


async def test_flushes_after_the_same_writes_share_a_question() -> None:
    asked = Asked()
    asked.waiting.wrote()
    first = await asked.flush()
    asked.waiting.asked(1)
    second = await asked.flush()
    assert asked.times == 1
    assert not asked.waiting.has_questions
    asked.waiting.note_flushed(1)
    await asyncio.gather(first, second)


async def test_voided_questions_are_asked_again_and_old_answers_say_nothing() -> None:
    asked = Asked()
    flush = await asked.flush()
    asked.waiting.asked(1)
    asked.waiting.void_questions()
    assert asked.waiting.has_questions
    asked.waiting.note_flushed(1)
    await asyncio.sleep(0)
    assert not flush.done()
    asked.waiting.asked(2)
    asked.waiting.note_flushed(2)
    await flush


async def test_a_refusal_confirms_nothing() -> None:
    asked = Asked()
    asked.waiting.wrote()
    answered, waiting = await asked.flush(), asyncio.create_task(asked.waiting.synced(10))
    await asyncio.sleep(0)
    asked.waiting.asked(1)
    asked.waiting.note_flushed(1, denial("read-only"))
    with pytest.raises(ProviderError, match="read-only"):
        await answered
    refused = await asked.flush()
    asked.waiting.refuse(denial("go away"))
    with pytest.raises(ProviderError, match="go away"):
        await refused
    assert asked.waiting.unconfirmed
    assert not waiting.done()
    asked.waiting.refuse(denial("it is gone"), syncs=True)
    with pytest.raises(ProviderError, match="it is gone"):
        await waiting


async def test_who_waits_too_long_is_told_for_what() -> None:
    with pytest.raises(SyncTimeoutError, match="the document is not here within 0"):
        await Asked().waiting.synced(0, "the document is not here")
