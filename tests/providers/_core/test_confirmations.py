"""Who waits for a document: questions are asked once, and each answer reaches those it is for."""

from __future__ import annotations

import asyncio

import pytest

from weft.errors import ProviderError, SyncTimeoutError
from weft.providers._core.confirmations import Confirmations, denial
from weft.providers._core.status import StatusTracker


class Asked:
    """A waiting, and how often it had something to ask."""

    def __init__(self) -> None:
        self.times = 0
        self.confirmations = Confirmations(StatusTracker("here", None), self._ask)

    def _ask(self) -> None:
        self.times += 1

    async def flush(self) -> asyncio.Task[None]:
        """Begin to wait."""
        task = asyncio.create_task(self.confirmations.flush(10))
        await asyncio.sleep(0)
        return task


async def test_an_answer_confirms_what_was_written_before_its_question() -> None:
    asked = Asked()
    asked.confirmations.wrote()
    first = await asked.flush()
    assert asked.confirmations.has_questions
    asked.confirmations.asked(1)
    asked.confirmations.wrote()
    second = await asked.flush()
    asked.confirmations.asked(2)
    asked.confirmations.note_flushed(1)
    await first
    assert asked.confirmations.unconfirmed
    assert not second.done()
    asked.confirmations.note_flushed(2)
    await second
    assert not asked.confirmations.unconfirmed


async def test_flushes_after_the_same_writes_share_a_question() -> None:
    asked = Asked()
    asked.confirmations.wrote()
    first = await asked.flush()
    asked.confirmations.asked(1)
    second = await asked.flush()
    assert asked.times == 1
    assert not asked.confirmations.has_questions
    asked.confirmations.note_flushed(1)
    await asyncio.gather(first, second)


async def test_voided_questions_are_asked_again_and_old_answers_say_nothing() -> None:
    asked = Asked()
    flush = await asked.flush()
    asked.confirmations.asked(1)
    asked.confirmations.void_questions()
    assert asked.confirmations.has_questions
    asked.confirmations.note_flushed(1)
    await asyncio.sleep(0)
    assert not flush.done()
    asked.confirmations.asked(2)
    asked.confirmations.note_flushed(2)
    await flush


async def test_a_refusal_confirms_nothing() -> None:
    asked = Asked()
    asked.confirmations.wrote()
    answered, waiting = await asked.flush(), asyncio.create_task(asked.confirmations.synced(10))
    await asyncio.sleep(0)
    asked.confirmations.asked(1)
    asked.confirmations.note_flushed(1, denial("read-only"))
    with pytest.raises(ProviderError, match="read-only"):
        await answered
    refused = await asked.flush()
    asked.confirmations.refuse(denial("go away"))
    with pytest.raises(ProviderError, match="go away"):
        await refused
    assert asked.confirmations.unconfirmed
    assert not waiting.done()
    asked.confirmations.refuse(denial("it is gone"), syncs=True)
    with pytest.raises(ProviderError, match="it is gone"):
        await waiting


async def test_who_waits_too_long_is_told_for_what() -> None:
    with pytest.raises(SyncTimeoutError, match="the document is not here within 0"):
        await Asked().confirmations.synced(0, "the document is not here")
