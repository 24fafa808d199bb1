"""Calls from where a thing does not belong: another thread, and a process that was forked."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import threading
import warnings
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

__all__ = ["in_child", "in_own_loop", "in_thread"]

R = TypeVar("R")

_PATIENCE_S = 20


def in_thread(call: Callable[[], R], name: str = "stranger") -> R:
    """Call something in a new thread, wait for its end, and return or raise what it did."""
    results: list[R] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(call())
        except BaseException as error:  # noqa: BLE001 - raised below
            errors.append(error)

    thread = threading.Thread(target=run, name=name)
    thread.start()
    thread.join(_PATIENCE_S)
    assert not thread.is_alive(), "the call did not return"
    if errors:
        raise errors[0]
    return results[0]


def in_child(call: Callable[[], object]) -> str:
    """Call something in a forked process, and return the name and sentence of what it raised."""
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that there are threads is what this is about
        child = os.fork()
    if not child:
        try:
            call()
            said = "nothing was raised"
        except BaseException as error:  # noqa: BLE001 - told to the parent
            said = f"{type(error).__name__}: {error}"
        os.write(writer, said.encode())
        os._exit(0)
    os.close(writer)
    try:
        ready, _, _ = select.select([reader], [], [], _PATIENCE_S)
        if not ready:
            os.kill(child, signal.SIGKILL)
            return "it hung"
        return os.read(reader, 65536).decode()
    finally:
        os.close(reader)
        os.waitpid(child, 0)


def in_own_loop(work: Callable[[], Coroutine[Any, Any, object]]) -> Callable[[], object]:
    """A call that does it in a new event loop, for a child that was forked while its parent's ran."""

    def call() -> object:
        asyncio._set_running_loop(None)
        return asyncio.new_event_loop().run_until_complete(asyncio.wait_for(work(), _PATIENCE_S / 2))

    return call
