from __future__ import annotations

import asyncio
import gc
import threading
import weakref

import pytest

from support.foreign import in_thread
from weft._support.owner import FREE, Owner, running_loop
from weft.errors import DocumentClosedError, WrongThreadError


def test_nobody_owns_what_nobody_holds() -> None:
    owner = Owner("the thing")
    owner.check()
    in_thread(owner.check)
    assert owner.thread == FREE


def test_it_belongs_to_the_thread_of_its_holds_until_the_last_is_dropped() -> None:
    owner = Owner("the thing")
    first, second = owner.hold(), owner.hold()
    assert owner.thread == threading.get_ident()
    for call in (owner.check, owner.hold, first.renew):
        with pytest.raises(WrongThreadError) as raised:
            in_thread(call)
        assert (raised.value.what, raised.value.owner) == ("the thing", "MainThread")
        assert raised.value.caller == "stranger"
    first.drop()
    first.drop()
    with pytest.raises(WrongThreadError):
        in_thread(owner.check)
    second.drop()
    in_thread(owner.check)
    assert owner.thread == FREE


def test_it_is_told_where_it_belongs() -> None:
    told: list[int] = []
    owner = Owner("the thing", told.append)
    hold = owner.hold()
    owner.hold().drop()
    hold.drop()
    assert told == [threading.get_ident(), FREE]


def test_that_of_an_ended_thread_goes_to_the_next() -> None:
    owner = Owner("the thing")
    in_thread(owner.hold)
    owner.check()
    with pytest.raises(WrongThreadError):
        in_thread(owner.check)


def test_that_of_an_event_loop_goes_to_the_next_when_the_loop_does_not_run() -> None:
    owner = Owner("the thing")

    async def hold() -> None:
        owner.hold()
        assert owner.loop is running_loop() is asyncio.get_running_loop()
        with pytest.raises(WrongThreadError):
            await asyncio.to_thread(owner.check)

    asyncio.run(hold())
    assert running_loop() is None
    assert owner.loop is None
    in_thread(owner.check)
    owner.check()
    owner.hold()  # without an event loop: as long as the thread lives
    with pytest.raises(WrongThreadError):
        in_thread(owner.check)


def test_an_event_loop_may_run_in_one_thread_after_the_other() -> None:
    owner = Owner("the thing")
    loop = asyncio.new_event_loop()

    async def hold() -> None:
        owner.hold()

    async def renew() -> None:
        owner.check()

    loop.run_until_complete(hold())
    in_thread(lambda: loop.run_until_complete(renew()))
    loop.run_until_complete(renew())
    loop.close()


def test_what_was_closed_is_refused_to_all_until_the_hold_is_dropped() -> None:
    owner = Owner("the thing")
    hold, other = owner.hold(), owner.hold()
    hold.close("room 'a'", "it was unloaded")
    assert owner.is_closed
    for call in (owner.check, owner.hold, other.renew):
        with pytest.raises(DocumentClosedError, match="room 'a' was closed: it was unloaded"):
            call()
        with pytest.raises(DocumentClosedError):
            in_thread(call)
    hold.drop()
    owner.check()
    with pytest.raises(WrongThreadError):
        in_thread(owner.check)


def test_an_owner_is_not_kept_alive() -> None:
    owner = weakref.ref(Owner("the thing"))
    gc.collect()
    assert owner() is None
