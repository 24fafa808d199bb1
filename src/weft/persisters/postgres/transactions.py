"""Running plans as transactions of PostgreSQL, again where others came between."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

from weft._aio.tasks import end_tasks
from weft.errors import StorageError
from weft.persisters._text.persister import ConflictError
from weft.persisters.postgres.driver import PING_SECONDS
from weft.persisters.sql.database import RunningPlan
from weft.persisters.sql.dialect import RefusedError, Statement

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from weft.persisters.postgres.shared_driver import SharedDriver
    from weft.persisters.sql.dialect import Plan

__all__ = ["SerializableTransactions"]

R = TypeVar("R")

_TRIES = 20  # transactions that others' made impossible, in a row, before it is called a failure
_TRIES_ALIKE = 3  # of those, before what may come of others is taken for the row's own fault

# Another transaction came between: nothing was done, and the next try sees what the other did.
# (PostgreSQL 15, appendix A.)
_AGAIN = frozenset(
    {
        "40001",  # serialization_failure
        "40P01",  # deadlock_detected
        "23505",  # unique_violation
        "42P07",  # duplicate_table
        "42701",  # duplicate_column
        "42723",  # duplicate_function
        "42710",  # duplicate_object, of a trigger
        "XX000",  # internal_error: "tuple concurrently updated", of definitions changed at the same time
    }
)

# Classes of errors that speak of the row written: data_exception, integrity_constraint_violation; and
# raise_exception, of triggers.
_REFUSALS = ("22", "23", "P0001")

# And of the statement: syntax_error_or_access_rule_violation, feature_not_supported, program_limit_exceeded
# (too many columns), object_not_in_prerequisite_state (a view that takes no rows), invalid_schema_name.
_STATEMENT_REFUSALS = ("42", "0A", "54", "55000", "3F000")

# feature_not_supported: "cached plan must not change result type", where others changed a column's type.
_STALE = "0A000"

# Whether another transaction committed since is the same as whether this differs.
_SNAPSHOT = Statement("SELECT txid_current_snapshot()::text")
_OWN_NUMBER = Statement("SELECT txid_current_if_assigned()::text")


class SerializableTransactions:
    """Transactions of one persister on a driver.

    Args:
        shared: The driver, and what else uses it.
        on_sql_command: Called with each statement and its parameters when it has run.
    """

    def __init__(
        self, shared: SharedDriver, on_sql_command: Callable[[str, Sequence[Any]], object] | None
    ) -> None:
        self._driver = shared.driver
        self._busy = shared.busy
        self._on_sql_command = on_sql_command
        self._ending = False  # whether what runs has come to its COMMIT
        self._running: set[asyncio.Task[Any]] = set()

    async def run(
        self,
        plan: Callable[[], Plan[R]],
        written: Callable[[], None] | None = None,
        checked: Callable[[], Plan[R]] | None = None,
    ) -> tuple[R, str, str]:
        """Run a plan in one serializable transaction, again where others came between.

        A caller that is cancelled leaves it running, and the next waits for it: libraries give up what a
        server is doing by asking it to, which not every server answers.

        Args:
            plan: Makes the plan.
            written: Called when a plan that writes is done, whoever still waits for it.
            checked: Run instead, where what it does is refused at its end.

        Returns:
            The plan's result; and where the driver does not listen, what has been committed: before it, and,
            if no others came, after it.

        Raises:
            StorageError: Nothing was done, or it is not known as the connection broke off.
        """
        task = asyncio.get_running_loop().create_task(self._try(plan, written, checked))
        self._running.add(task)
        task.add_done_callback(self._ended)
        await asyncio.wait([task])
        if task.cancelled():
            raise StorageError("PostgreSQL: the server fell silent")
        return task.result()

    def give_up(self) -> None:
        """End what runs, which fails."""
        for task in self._running:
            task.cancel()

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # seen, if nobody waits any more

    async def _try(
        self,
        plan: Callable[[], Plan[R]],
        written: Callable[[], None] | None,
        checked: Callable[[], Plan[R]] | None,
    ) -> tuple[R, str, str]:
        try:
            async with self._busy:
                careful = False
                for attempt in range(_TRIES):
                    try:
                        done = await self._transact(plan(), written is not None, careful)
                    except self._driver.errors as error:
                        state = getattr(error, "sqlstate", None)
                        again = state in _AGAIN and attempt < _TRIES_ALIKE
                        if state == _STALE and not attempt:
                            await self._driver.close()  # the next connection prepares its statements anew
                        elif checked is not None and not again and self._ending and _refuses_row(error):
                            plan, checked = checked, None
                        elif not careful and not again and (_refuses_row(error) or _refuses_statement(error)):
                            # Savepoints cost round trips, so they are made only where they are needed.
                            careful = True
                        elif attempt == _TRIES - 1 or state not in _AGAIN:
                            raise
                    else:
                        if written is not None:
                            written()
                        return done
                raise AssertionError("unreachable")
        except (ConflictError, StorageError):
            raise
        except self._driver.errors as error:
            raise StorageError(f"PostgreSQL: {error!r}") from error

    async def _transact(self, plan: Plan[R], writes: bool, careful: bool) -> tuple[R, str, str]:
        self._ending = False
        await self._begin()
        looks = not self._driver.listens
        before = after = ""
        running = RunningPlan(plan)
        try:
            if looks:
                before = after = (await self._execute(_SNAPSHOT))[0][0]
            while (statement := running.next_statement()) is not None:
                try:
                    running.rows = await (self._one_by_one if careful else self._execute)(statement)
                except RefusedError as refusal:
                    running.refusal = refusal
                if self._on_sql_command is not None:
                    self._on_sql_command(statement.sql, statement.params)
            if looks and writes and (number := (await self._execute(_OWN_NUMBER))[0][0]) is not None:
                # What the next sees if nobody else commits: our number is over, and no other is open.
                after = f"{int(number) + 1}:{int(number) + 1}:" if before == f"{number}:{number}:" else before
            self._ending = True
            await self._driver.execute("COMMIT")
        except asyncio.CancelledError:
            await self._driver.close()
            raise
        except BaseException:
            try:
                await self._driver.execute("ROLLBACK")
            except self._driver.errors:
                await self._driver.close()  # it was lost, or is in a state that nobody knows
            raise
        return running.result, before, after

    async def _begin(self) -> None:
        begin = "BEGIN ISOLATION LEVEL SERIALIZABLE"
        if not await self._driver.open():
            try:
                async with asyncio.timeout(PING_SECONDS):
                    await self._driver.execute(begin)
            except self._driver.errors:
                await self._driver.close()  # lost while nobody used it, or silent
                await self._driver.open()
            else:
                return
        await self._driver.execute(begin)

    async def _execute(self, statement: Statement) -> list[Sequence[Any]]:
        if statement.many:
            await self._driver.executemany(statement.sql, statement.params)
            return []
        return await self._driver.execute(statement.sql, statement.params)

    async def _one_by_one(self, statement: Statement) -> list[Sequence[Any]]:
        """Run a statement for each row by itself, where rows that the server refuses are to stop nothing."""
        if not statement.lenient:
            return await self._execute(statement)
        rows: list[Sequence[Any]] = []
        for number, params in enumerate(statement.params if statement.many else [statement.params]):
            await self._driver.execute("SAVEPOINT weft_row")
            try:
                found = await self._driver.execute(statement.sql, params)
            except self._driver.errors as error:
                row = _refuses_row(error)
                if not row and not _refuses_statement(error):
                    raise
                await self._driver.execute("ROLLBACK TO SAVEPOINT weft_row")
                if not row or not statement.many:
                    await self._driver.execute("RELEASE SAVEPOINT weft_row")
                    raise RefusedError(str(error), row=row) from error
                found = [(number, str(error))]
            await self._driver.execute("RELEASE SAVEPOINT weft_row")
            rows += found
        return rows

    async def rest(self) -> None:
        """Wait until what cancelled callers left is done, or give it up if it is silent."""
        await end_tasks(self._running, grace_seconds=PING_SECONDS)


def _refuses_row(error: Exception) -> bool:
    return str(getattr(error, "sqlstate", "")).startswith(_REFUSALS)


def _refuses_statement(error: Exception) -> bool:
    state = str(getattr(error, "sqlstate", ""))
    return state not in _AGAIN and state.startswith(_STATEMENT_REFUSALS)
