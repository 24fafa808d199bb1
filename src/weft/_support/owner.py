"""Whose an object is: the thread that attached it, for as long as somebody holds it, in one process.

A Store, a document, a persister, a provider and a server belong to one thread each, because nothing in them
is locked: a second thread that wrote would find half a transaction, and what it did would be told, saved and
sent in the wrong event loop. Locks are no answer, as listeners run inside of writes and write themselves.

After ``fork`` everything stands twice, but the threads and the connections of the parent are not there, and
two processes with one client id write documents that never agree. So what was held then is nobody's in the
child. The look costs nothing there either: the child's copy is marked once, when it begins.
"""

from __future__ import annotations

import os
import sys
import weakref
from _thread import get_ident
from typing import TYPE_CHECKING, Protocol

from weft.errors import DocumentClosedError, WrongProcessError, WrongThreadError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["FREE", "Hold", "Loop", "Owner", "running_loop"]

FREE = 0  # the thread of what belongs to nobody yet
NOBODY = -1  # and of what nobody may use any more; no thread has this identifier


class Loop(Protocol):
    """An event loop, as far as it matters here."""

    def is_running(self) -> bool:
        """Whether a thread runs it at the moment."""

    def call_soon(self, callback: Callable[[], object]) -> object:
        """Call something in the next turn."""

    def call_soon_threadsafe(self, callback: Callable[[], object]) -> object:
        """The same, from another thread."""

    def call_later(self, delay: float, callback: Callable[[], object]) -> object:
        """The same, after so many seconds."""


class Owner:
    """The thread to which an object belongs.

    Args:
        what: How errors call the object: ``"the Store"``.
        moved: Called with :attr:`thread` whenever it changes, where the object keeps it at hand.

    Attributes:
        thread: ``_thread.get_ident()`` of the owner, :data:`FREE` or :data:`NOBODY`. Where it is not the
            calling thread's, :meth:`check` has to say what that means.
    """

    __slots__ = ("__weakref__", "_holds", "_is_forked", "_moved", "_name", "_process", "_what", "thread")

    def __init__(self, what: str, moved: Callable[[int], None] | None = None) -> None:
        self.thread = FREE
        self._what = what
        self._moved = moved
        self._holds: list[Hold] = []
        self._name = ""
        self._process = os.getpid()
        self._is_forked = False
        _owners.add(self)

    def hold(self) -> Hold:
        """Make it the calling thread's, until the hold and all others have been dropped.

        Raises:
            WrongThreadError: It is another's. Nothing changed; likewise for the errors of :meth:`check`.
        """
        self.check()
        hold = Hold(self)
        self._holds.append(hold)
        self._move(get_ident())
        return hold

    def check(self) -> None:
        """Let its own thread pass; and another one, where its thread has ended, or its event loop has.

        Raises:
            WrongThreadError: Another thread's.
            WrongProcessError: The process was forked after it was made.
            DocumentClosedError: One of the holds was closed.
        """
        here = get_ident()
        if here == self.thread:
            return
        self.check_process()
        for hold in self._holds:
            if hold.reason is not None:
                raise DocumentClosedError(hold.what, hold.reason)
        if self._holds:
            if _is_alive(self.thread) and not all(hold.is_over for hold in self._holds):
                raise WrongThreadError(self._what, self._name, _name_of(here), self.loop is not None)
            self._move(here)

    def check_process(self) -> None:
        """Let every thread pass, but of this process.

        Raises:
            WrongProcessError: The process was forked after it was made.
        """
        if self._is_forked:
            raise WrongProcessError(self._what, str(self._process), str(os.getpid()))

    @property
    def is_closed(self) -> bool:
        """Whether one of the holds was closed."""
        return any(hold.reason is not None for hold in self._holds)

    @property
    def loop(self) -> Loop | None:
        """An event loop that runs in its thread, if one of the holds was taken in one."""
        loops = [hold.loop for hold in self._holds if hold.loop is not None and hold.loop.is_running()]
        return loops[-1] if loops else None

    def _move(self, thread: int) -> None:
        if self.thread != thread:
            self.thread = thread
            self._name = _name_of(thread)
            if self._moved is not None:
                self._moved(thread)

    def _settle(self) -> None:
        """Something about the holds has changed."""
        if self._is_forked or self.is_closed:
            self._move(NOBODY)
        elif not self._holds:
            self._move(FREE)
        elif self.thread == NOBODY:
            self._move(get_ident())

    def _forked(self) -> None:
        self._is_forked = True
        self._settle()


class Hold:
    """What :meth:`Owner.hold` gives: one reason why something belongs to a thread."""

    __slots__ = ("_owner", "loop", "reason", "what")

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self.loop = running_loop()
        self.what = ""
        self.reason: str | None = None

    @property
    def is_over(self) -> bool:
        """Whether the event loop in which it was taken does not run, or is the calling thread's."""
        return self.loop is not None and (not self.loop.is_running() or self.loop is running_loop())

    def renew(self) -> None:
        """Take it in the calling thread and its event loop instead, if that is allowed: see ``hold``."""
        self._owner.check()
        self.loop = running_loop()

    def close(self, what: str, reason: str) -> None:
        """Let nobody use the object until this is dropped.

        Args:
            what: What was closed, as errors call it.
            reason: Why, and what to do.
        """
        self.what, self.reason = what, reason
        self._owner._settle()  # noqa: SLF001 - two classes, one thing

    def drop(self) -> None:
        """Let go. A second call does nothing."""
        holds = self._owner._holds  # noqa: SLF001 - as above
        if self in holds:
            holds.remove(self)
            self._owner._settle()  # noqa: SLF001 - as above


def running_loop() -> Loop | None:
    """The event loop that runs in the calling thread; a program that never imported asyncio has none."""
    asyncio = sys.modules.get("asyncio")
    if asyncio is None:
        return None
    try:
        loop: Loop | None = asyncio._get_running_loop()  # noqa: SLF001 - the one that does not raise
    except AttributeError:  # another thread is about to import asyncio
        return None
    return loop


def _name_of(thread: int) -> str:
    if thread in {FREE, NOBODY}:
        return ""
    threading = sys.modules.get("threading")
    if threading is not None:
        if thread == get_ident():
            # Also makes a thread that another library began known to enumerate().
            return str(threading.current_thread().name)
        for other in threading.enumerate():
            if other.ident == thread:
                return str(other.name)
    return str(thread)


def _is_alive(thread: int) -> bool:
    # threading.enumerate() never forgets threads that another library began (before Python 3.13).
    return thread in sys._current_frames()  # noqa: SLF001 - documented, in spite of its name


_owners: weakref.WeakSet[Owner] = weakref.WeakSet()


def _mark_forked() -> None:
    for owner in tuple(_owners):
        owner._forked()  # noqa: SLF001 - of this module


if hasattr(os, "register_at_fork"):  # where there is no fork there is nothing to find
    os.register_at_fork(after_in_child=_mark_forked)
