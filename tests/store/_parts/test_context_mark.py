from __future__ import annotations

import asyncio
import contextvars
import gc
import weakref

from support.foreign import in_thread
from weft.store._parts.context_mark import ContextMark, context_mark, is_current, present_mark


async def test_a_context_keeps_its_mark() -> None:
    mark = context_mark()
    assert context_mark() is mark is present_mark()
    assert is_current(mark)
    assert is_current(mark)
    await asyncio.sleep(0)
    assert context_mark() is mark


async def test_a_task_that_is_made_has_a_copy_of_the_mark_and_not_the_mark() -> None:
    mark = context_mark()

    async def child() -> ContextMark:
        assert present_mark() is mark
        assert not is_current(mark)
        own = context_mark()
        assert own is not mark
        assert is_current(own)
        return own

    own = await asyncio.create_task(child())
    assert is_current(mark)
    assert not is_current(own)
    assert not await asyncio.to_thread(is_current, mark)


def test_other_threads_and_contexts_have_others() -> None:
    mark = contextvars.Context().run(context_mark)
    assert not is_current(mark)
    own = context_mark()
    assert in_thread(present_mark) is not own
    assert not in_thread(lambda: is_current(own))


def test_copied_contexts_one_out_of_the_other_are_not_kept() -> None:
    # A callback that calls itself later, as timers do, runs in a copy of its own context each time.
    marks: list[weakref.ref[contextvars.Context]] = []
    context = contextvars.Context()
    for _ in range(20):
        context.run(context_mark)
        marks.append(weakref.ref(context))
        context = context.run(contextvars.copy_context)
    gc.collect()
    assert sum(mark() is not None for mark in marks) <= 3
