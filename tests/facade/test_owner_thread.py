"""The thread of programs without an event loop: calls in order, holds, forks and the end of the program."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from support.foreign import in_child, in_thread
from weft.errors import LocalProtocolError
from weft.facade.owner_thread import HERE, Mark, OwnerThread

if TYPE_CHECKING:
    from pathlib import Path


def nothing() -> None: ...


def here() -> Mark:
    return HERE.mark


@pytest.fixture
def owner() -> OwnerThread:
    return OwnerThread.current()


def test_there_is_one_and_calls_run_in_it(owner: OwnerThread) -> None:
    assert OwnerThread.current() is owner
    assert owner.call(here) is owner.mark is not here()
    assert owner.call(lambda: owner.call(here)) is owner.mark
    with pytest.raises(ZeroDivisionError):
        owner.call(lambda: 1 / 0)

    async def work() -> Mark:
        await asyncio.sleep(0)
        return here()

    assert owner.run(work) is owner.mark


def test_what_would_wait_for_itself_is_refused(owner: OwnerThread) -> None:
    async def work() -> None: ...

    with pytest.raises(LocalProtocolError, match="by a listener"):
        owner.call(lambda: owner.run(work))
    owner.hold(nothing, nothing)
    try:
        with pytest.raises(LocalProtocolError, match="inside a transaction"):
            owner.run(work)
    finally:
        owner.release(nothing)
    owner.run(work)


def test_who_holds_it_is_alone_until_it_lets_go(owner: OwnerThread) -> None:
    done: list[str] = []
    others = [threading.Thread(target=owner.call, args=(done.append, "other")) for _ in range(3)]
    owner.hold(nothing, nothing)
    owner.hold(nothing, nothing)  # it nests
    for other in others:
        other.start()
    for number in range(3):
        owner.call(done.append, str(number))
    owner.release(nothing)
    owner.call(done.append, "last")
    owner.release(nothing)
    for other in others:
        other.join(20)
    assert done == ["0", "1", "2", "last", "other", "other", "other"]


def test_what_does_not_begin_is_not_held(owner: OwnerThread) -> None:
    said: list[str] = []
    with pytest.raises(ZeroDivisionError):
        owner.hold(lambda: 1 / 0, lambda: said.append("abandoned"))
    assert in_thread(lambda: owner.call(here)) is owner.mark
    assert said == []


class InterruptionError(Exception):
    """No ``InterruptedError``: that is an ``OSError``, which an event loop passes over where it is woken."""


@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="this system has no such signal")
def test_who_is_interrupted_while_it_waits_holds_nothing(owner: OwnerThread) -> None:
    held, go_on, said = threading.Event(), threading.Event(), list[str]()

    def other() -> None:
        owner.hold(held.set, nothing)
        waiting = owner._loop._ready  # type: ignore[attr-defined]
        while not any(handle._callback == owner._serve for handle in tuple(waiting)):
            pass  # until the main thread has asked
        os.kill(os.getpid(), signal.SIGUSR1)
        go_on.wait(20)
        owner.release(nothing)

    def interrupt(*_: object) -> None:
        raise InterruptionError

    before = signal.signal(signal.SIGUSR1, interrupt)
    thread = threading.Thread(target=other)
    try:
        thread.start()
        held.wait(20)
        with pytest.raises(InterruptionError):
            owner.hold(lambda: said.append("began"), lambda: said.append("abandoned"))
    finally:
        signal.signal(signal.SIGUSR1, before)
        go_on.set()
        thread.join(20)
    assert in_thread(lambda: owner.call(here)) is owner.mark
    assert said == ["began", "abandoned"]


def test_a_thread_that_ends_without_letting_go_is_noticed(owner: OwnerThread) -> None:
    said: list[str] = []

    def hold() -> None:
        owner.hold(nothing, lambda: said.append("abandoned"))

    in_thread(hold)
    assert owner.call(here) is owner.mark  # waits for it
    assert said == ["abandoned"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_after_a_fork_it_is_the_parents_and_the_child_gets_its_own(owner: OwnerThread) -> None:
    assert "WrongProcessError: weft's thread was made in process" in in_child(lambda: owner.call(here))

    async def work() -> None: ...

    assert "WrongProcessError" in in_child(lambda: owner.run(work))
    assert "WrongProcessError" in in_child(lambda: owner.hold(nothing, nothing))

    def own() -> None:
        there = OwnerThread.current()
        raise AssertionError(there is not owner and there.call(here) is there.mark)

    assert in_child(own) == "AssertionError: True"
    assert owner.call(here) is owner.mark


def test_what_is_open_when_the_program_ends_is_closed(tmp_path: Path) -> None:
    program = """
import weft
store = weft.sync.open("pets.json").start()
store.set_cell("pets", "fido", "species", "dog")
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "pets.json").read_text() == '[{"pets":{"fido":{"species":"dog"}}},{}]'


def test_what_is_open_when_the_program_ends_is_closed_at_once() -> None:
    program = """
import asyncio
from weft.facade.owner_thread import HERE, Mark, OwnerThread
owner = OwnerThread.current()
both = owner.call(asyncio.Event)
async def second():
    both.set()
owner.closings["first"] = both.wait
owner.closings["second"] = second
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
