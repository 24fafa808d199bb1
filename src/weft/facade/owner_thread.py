"""The thread in which the Stores of programs without an event loop live: one loop, for all of them.

Any other thread has its calls run here, one after the other, and waits for each. For as long as one has a
transaction open it *holds* this thread: then nothing else runs here, no other thread's calls and no message
from a server, so that the transaction's writes need not come here one by one.
"""

from __future__ import annotations

import asyncio
import concurrent.futures.thread  # noqa: F401 - whose end is registered first, and so comes after ours
import logging
import os
import threading
import time
from _thread import allocate_lock
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, ParamSpec, TypeAlias, TypeVar, cast
from weakref import ref

from weft._support.owner import Owner
from weft.errors import LocalProtocolError, WrongProcessError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

__all__ = ["HERE", "Mark", "OwnerThread"]

P = ParamSpec("P")
R = TypeVar("R")

_log = logging.getLogger("weft")

_LOOK_S = 1.0  # how often it is looked whether a thread that holds this one has ended without letting go
_END_S = 20.0  # for all that is still open when the program ends


class _Life:
    """Lives as long as a thread: nothing but what is the thread's own refers to it."""

    __slots__ = ("__weakref__",)


Mark: TypeAlias = "ref[_Life]"
"""Stands for a thread. An identifier would pass to another thread when its own ends; of a mark, ``mark()`` is
``None`` from then on, and no other thread has it."""


class _Here(threading.local):
    """The calling thread.

    Attributes:
        mark: Its mark.
    """

    def __init__(self) -> None:
        self._life = _Life()
        self.mark: Mark = ref(self._life)


HERE = _Here()


class OwnerThread:
    """An event loop in a daemon thread. Use :meth:`current`.

    Attributes:
        mark: Its mark.
        closings: What is to be closed when the program ends, if it was not before: coroutine functions.
    """

    mark: Mark
    _present: OwnerThread | None = None
    _making = threading.Lock()

    def __init__(self) -> None:
        self.closings: dict[object, Callable[[], Coroutine[Any, Any, object]]] = {}
        self._owner = Owner("weft's thread")
        self._loop = asyncio.new_event_loop()
        self._hold: _Hold | None = None
        started = threading.Event()
        # As a daemon: a program that forgets to close a Store still ends.
        self._thread = threading.Thread(target=self._run, args=(started,), name="weft", daemon=True)
        self._thread.start()
        started.wait()
        # Called before the executors are shut down, which closing needs; what atexit calls comes after that.
        threading._register_atexit(self._end)  # type: ignore[attr-defined]  # noqa: SLF001 - nothing else is

    @classmethod
    def current(cls) -> OwnerThread:
        """The one of this process, begun when it is first asked for."""
        with cls._making:
            if cls._present is None:
                cls._present = OwnerThread()
            return cls._present

    @classmethod
    def forget(cls) -> None:
        """After a fork: the thread is the parent's, and the lock may have been another thread's."""
        cls._present, cls._making = None, threading.Lock()

    def call(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a function there, and wait for it. It must not wait for anything itself.

        Raises:
            WrongProcessError: The process was forked since.
        """
        here, hold = HERE.mark, self._hold
        if here is self.mark:
            return function(*args, **kwargs)
        self._owner.check_process()
        call = _Call(function, args, kwargs)
        if hold is not None and hold.thread is here:
            hold.calls.put(call)
        else:
            self._loop.call_soon_threadsafe(call.run)
        return cast("R", call.result())

    def run(self, work: Callable[[], Coroutine[Any, Any, R]]) -> R:
        """Run a coroutine function there, and wait for it. An interruption of the wait cancels it.

        Raises:
            WrongProcessError: The process was forked since.
            LocalProtocolError: Called there, as listeners are, or inside a transaction: it waited for itself.
        """
        here, hold = HERE.mark, self._hold
        self._owner.check_process()
        if here is self.mark or (hold is not None and hold.thread is here):
            what = "by a listener" if here is self.mark else "inside a transaction"
            raise LocalProtocolError(f"nothing can be waited for {what}, as nothing else happens meanwhile")
        future = asyncio.run_coroutine_threadsafe(work(), self._loop)
        try:
            return future.result()
        finally:
            future.cancel()  # of one that is done nothing comes

    def hold(self, begin: Callable[[], object], abandoned: Callable[[], object]) -> None:
        """Have the thread do nothing but what this one asks for, until :meth:`release`; they nest.

        Args:
            begin: Called there first; what it raises is raised here, and then nothing is held.
            abandoned: Called there if this thread ends, or is interrupted here, without letting go.

        Raises:
            WrongProcessError: The process was forked since.
        """
        here, hold = HERE.mark, self._hold
        if hold is not None and hold.thread is here:
            self.call(begin)
        else:
            self._owner.check_process()
            hold = _Hold(here, _Call(begin, (), {}))
            self._loop.call_soon_threadsafe(self._serve, hold)
            try:
                hold.begin.result()
            except BaseException:  # where it did not begin, nobody looks for these
                hold.calls.put(_Call(abandoned, (), {}))
                hold.calls.put(None)
                raise
        hold.abandoned.append(abandoned)

    def release(self, finish: Callable[[], object]) -> None:
        """Let go, as often as :meth:`hold` was called.

        Args:
            finish: Called there before anything else is; what it raises is raised here.
        """
        hold = self._hold
        assert hold is not None  # noqa: S101 - only the thread that holds it calls this
        hold.abandoned.pop()
        if hold.abandoned:
            self.call(finish)
        else:
            self._hold = None  # before anything else is asked for
            last = _Call(finish, (), {})
            hold.calls.put(last)
            hold.calls.put(None)
            last.result()

    # -- there -------------------------------------------------------------------------------------------

    def _run(self, started: threading.Event) -> None:
        self.mark = HERE.mark
        self._loop.call_soon(started.set)
        self._loop.run_forever()
        self._loop.close()

    def _serve(self, hold: _Hold) -> None:
        self._hold = hold
        hold.begin.run()
        while not hold.begin.has_failed:
            try:
                call = hold.calls.get(timeout=_LOOK_S)
            except Empty:
                if hold.thread() is not None:
                    continue
                for abandoned in reversed(hold.abandoned):
                    abandoned()
                break
            if call is None:
                break
            call.run()
        self._hold = None

    # -- the end of the program --------------------------------------------------------------------------

    def _end(self) -> None:
        try:
            self._owner.check_process()
        except WrongProcessError:
            return
        end = time.monotonic() + _END_S
        begun = [
            (name, asyncio.run_coroutine_threadsafe(close(), self._loop))
            for name, close in tuple(self.closings.items())
        ]
        for name, closing in begun:
            try:
                closing.result(max(0.0, end - time.monotonic()))
            except Exception:  # noqa: BLE001 - logged: the others are to be closed, too
                _log.exception("%s could not be closed at the end of the program", name)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_LOOK_S)


class _Hold:
    """A thread that holds the owner thread.

    Attributes:
        thread: Its mark.
        begin: What it asks for first.
        calls: What it asks for then; ``None`` lets go.
        abandoned: What to do if it ends without letting go; one for each time it asked.
    """

    __slots__ = ("abandoned", "begin", "calls", "thread")

    def __init__(self, thread: Mark, begin: _Call) -> None:
        self.thread = thread
        self.begin = begin
        self.calls: SimpleQueue[_Call | None] = SimpleQueue()
        self.abandoned: list[Callable[[], object]] = []


class _Call:
    """A call on behalf of another thread.

    Attributes:
        has_failed: Whether it raised.
    """

    __slots__ = ("_args", "_done", "_error", "_function", "_kwargs", "_result", "has_failed")

    def __init__(self, function: Callable[..., object], args: Any, kwargs: Any) -> None:
        self._function, self._args, self._kwargs = function, args, kwargs
        self._result: object = None
        self._error: BaseException | None = None
        self.has_failed = False
        self._done = allocate_lock()
        self._done.acquire()

    def run(self) -> None:
        try:
            self._result = self._function(*self._args, **self._kwargs)
        except BaseException as error:  # noqa: BLE001 - raised where it was called
            self._error = error
            self.has_failed = True
        self._done.release()

    def result(self) -> object:
        self._done.acquire()
        error = self._error
        if error is None:
            return self._result
        try:
            raise error
        finally:
            self._error = error = None  # its traceback holds this frame


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=OwnerThread.forget)
