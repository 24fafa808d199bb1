"""Persisters for programs without an event loop."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Generic, Self, TypeVar

from weft._support.arguments import wrong_kind
from weft._support.owner import Owner
from weft.persisters._core.persister import Persister

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from types import TracebackType

    from weft.changes import Content
    from weft.persisters._core.persister import PersisterStats
    from weft.store import Store

__all__ = ["BlockingPersister", "blocking"]

P = TypeVar("P", bound=Persister)
T = TypeVar("T")


def blocking(persister: P) -> BlockingPersister[P]:
    """Use a persister from plain code.

    ::

        with weft.persisters.blocking(persister) as p:
            p.load()
            ...
            p.save()

    It has an event loop of its own, which runs in the calling thread while one of its methods does. Any
    thread may call them; they wait for one another. Between the calls the Store is nobody's, so several
    threads that write it need a lock of their own; during a call it is the calling thread's, and a write in
    another one raises ``WrongThreadError``. Leaving the block closes the persister;
    :meth:`BlockingPersister.close` does so before its end.

    Raises:
        TypeError: It is no persister.
        RuntimeError: An event loop is running in this thread (raised by ``with``); use the persister itself
            there, with ``await``.
    """
    return BlockingPersister(persister)


class BlockingPersister(Generic[P]):
    """A persister whose operations are plain calls; made by :func:`blocking`."""

    def __init__(self, persister: P) -> None:
        if not isinstance(persister, Persister):
            raise wrong_kind("a persister, such as FilePersister(store, path),", persister)
        self.persister = persister
        self._runner: asyncio.Runner | None = None
        self._owner = Owner("the blocking persister")
        self._calls = threading.RLock()  # of one thread at a time; a listener that calls again gets an error

    def load(self, initial_content: Content | Callable[[], Content] | None = None) -> Self:
        """Make the Store what the place holds; see :meth:`Persister.load`."""
        self._run(self.persister.load(initial_content))
        return self

    def save(self) -> Self:
        """Make the place what the Store holds; see :meth:`Persister.save`."""
        self._run(self.persister.save())
        return self

    def close(self) -> None:
        """Stop, save what is not saved yet, and let go of everything. A second call does nothing.

        Raises:
            StorageError: The last edits could not be saved.
        """
        self._owner.check_process()
        with self._calls:
            runner, self._runner = self._runner, None
            if runner is not None:
                try:
                    runner.run(self.persister.close())
                finally:
                    runner.close()

    def get_store(self) -> Store:
        """Get the Store."""
        return self.persister.get_store()

    def get_stats(self) -> PersisterStats:
        """Get how often it loaded and saved."""
        return self.persister.get_stats()

    def _run(self, work: Coroutine[object, object, T]) -> T:
        try:
            self._owner.check_process()  # the event loop is the parent's as well
            with self._calls:
                if self._runner is None:
                    raise RuntimeError("use a blocking persister inside its with block")
                return self._runner.run(work)
        finally:
            work.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.persister!r}>"

    def __enter__(self) -> Self:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            self._runner = asyncio.Runner()
            return self
        self.persister.expects_use = False  # nobody can, by this
        raise RuntimeError(
            "an event loop is running in this thread: await the persister's own methods instead of blocking()"
        )

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if exc is not None:
            self.persister.expects_use = False  # whoever wanted to use it did not come to that
        self.close()
