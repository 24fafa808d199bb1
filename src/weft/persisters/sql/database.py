"""What a database offers the persisters on it, and a plan while it runs there."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from weft.persisters._core.polling import Polling
    from weft.persisters.sql.dialect import Plan, RefusedError, Statement

__all__ = ["Database", "RunningPlan"]

R = TypeVar("R")


class Database(ABC):
    """A database that runs plans in transactions, and finds out that others changed it.

    All of it raises :class:`weft.errors.StorageError` where the database does not do what is asked; a
    ``PlaceReplacedError``, until :meth:`reopen`, where an open file is not the one at its path any more.
    A plan is given as what makes it, since a database may have to run it again.
    """

    name: str = ""
    """How errors call the database; empty where nothing more than its kind is known."""
    _seen: object = None

    @property
    @abstractmethod
    def queue(self) -> object:
        """What persisters that must take turns have in common; ``None`` where nobody else uses this."""

    async def read(self, plan: Callable[[], Plan[R]]) -> R:
        """Run a plan that reads, all of it on one state of the database."""
        result, self._seen, _ = await self._run(plan, None)
        return result

    async def write(self, plan: Callable[[], Plan[R]], checked: Callable[[], Plan[R]] | None = None) -> R:
        """Run a plan that writes, in one transaction. When it fails nothing was written.

        Args:
            plan: The plan.
            checked: Run instead where the database refuses all of that at its end: the same, but it looks
                for what is refused before.
        """
        result, before, after = await self._run(plan, checked or plan)
        if before == self._seen:
            self._seen = after  # otherwise others wrote, and that is still news
        return result

    async def changed(self) -> bool:
        """Look whether others wrote, whatever it was, since the last read."""
        return await self._look() != self._seen

    async def watch(self, polling: Polling, listener: Callable[[], None]) -> Polling:
        """Find out that others write; until the polling, which asks :meth:`changed`, is stopped.

        Args:
            polling: Asks again and again; a database that can tell by itself has it ask less often.
            listener: What such a database calls.
        """
        del listener
        return polling

    async def reopen(self) -> None:  # noqa: B027 - a server's database is where it was
        """Connect to what is there now, where the file that was open is not."""

    @abstractmethod
    async def close(self) -> None:
        """Let go of the database. It stays connected where others use the connection."""

    @abstractmethod
    async def _run(
        self, plan: Callable[[], Plan[R]], checked: Callable[[], Plan[R]] | None
    ) -> tuple[R, object, object]:
        """Run a plan in one transaction; one that writes has a checked one.

        Returns:
            Its result, and what :meth:`_look` would have found before it, and after it if no others came.
        """

    @abstractmethod
    async def _look(self) -> object:
        """Find what differs whenever somebody has written."""


class RunningPlan(Generic[R]):
    """A plan that runs, in a thread or in a task: whoever runs it asks for each statement.

    ::

        running = RunningPlan(plan)
        while (statement := running.next_statement()) is not None:
            running.rows = execute(statement)  # or running.refusal = RefusedError(...)
        return running.result
    """

    result: R

    def __init__(self, plan: Plan[R]) -> None:
        self._plan = plan
        # Of the last statement; a generator that has not begun is sent ``None``.
        self.rows: list[Sequence[Any]] | None = None
        self.refusal: RefusedError | None = None

    def next_statement(self) -> Statement | None:
        """Go on with the plan; ``None`` where it is over and has a result."""
        refusal, self.refusal = self.refusal, None
        try:
            if refusal is not None:
                return self._plan.throw(refusal)
            return self._plan.send(self.rows)  # type: ignore[arg-type]
        except StopIteration as end:
            self.result = end.value
            return None
