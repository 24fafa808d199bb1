"""A SQLite database in a thread of its own, running plans in transactions, and noticing others' writes."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any, TypeVar

from weft._aio.thread import WorkerThread
from weft._support.arguments import path_of
from weft.errors import StorageError
from weft.persisters._core.replaced import PlaceReplacedError
from weft.persisters.sql.database import Database, RunningPlan
from weft.persisters.sql.dialect import RefusedError, Statement
from weft.persisters.sql.names import quote, split_table
from weft.persisters.sqlite.driver import SqliteDriver, StdlibDriver
from weft.persisters.sqlite.endings import EndedError, Endings

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Sequence

    from weft.persisters._core.polling import Polling
    from weft.persisters.sql.dialect import Plan

__all__ = ["SqliteDatabase"]

R = TypeVar("R")


class SqliteDatabase(Database):
    """One database.

    Args:
        database: Path, opened and closed here; or a connection or driver, left open.
        on_sql_command: Called with each statement and its parameters when it has run.
        tables: The tables that are loaded: some may be in databases that are attached.
        report: Told what became of a write-ahead log that was removed.
    """

    def __init__(
        self,
        database: str | os.PathLike[str] | sqlite3.Connection | SqliteDriver,
        on_sql_command: Callable[[str, Sequence[Any]], object] | None,
        tables: Iterable[str] = (),
        report: Callable[[Exception], object] | None = None,
    ) -> None:
        # What was given open, and what several persisters may therefore share, taking turns.
        self.given = database if isinstance(database, sqlite3.Connection | SqliteDriver) else None
        if self.given is None:
            path_of(database, "a path, a sqlite3.Connection, or a driver such as ApswDriver(path),")
        self._driver = database if isinstance(database, SqliteDriver) else StdlibDriver(database)
        self.name = self._driver.name
        self._thread = WorkerThread("weft-sqlite")
        self._on_sql_command = on_sql_command
        self._attached = sorted({split_table(name)[0] for name in tables} - {""})
        self._writing = False
        self._moves = self._driver.moves
        self._report = report
        self._endings = Endings()
        self._news: list[str] = []  # to report, found in the thread

    @property
    def queue(self) -> object:
        """What persisters that must take turns have in common; ``None`` where nobody else uses this."""
        return self.given.queue if isinstance(self.given, SqliteDriver) else self.given

    async def watch(self, polling: Polling, listener: Callable[[], None]) -> Polling:
        """Look at once, too, when others commit on this connection, where the library can tell."""
        del listener
        polling.wake_by(lambda wake: self._driver.on_commit(lambda: None if self._writing else wake()))
        return polling

    async def reopen(self) -> None:
        """Connect to the file that is there now."""
        await self._in_thread(self._driver.reopen)
        self._moves = self._driver.moves
        self._seen = None

    async def close(self) -> None:
        """Close what was opened here, and end the thread."""
        try:
            if self.given is None:
                await self._thread.run(self._driver.close)
        finally:
            await self._thread.close()

    async def _run(
        self, plan: Callable[[], Plan[R]], checked: Callable[[], Plan[R]] | None
    ) -> tuple[R, object, object]:
        ran = list[Statement]()

        def run() -> tuple[R, object, object]:
            begin, make = "BEGIN" if checked is None else "BEGIN IMMEDIATE", plan
            endings = self._endings = Endings()
            while True:
                try:
                    return self._transact(begin, make(), ran)
                except _RefusedAtEndError:
                    if checked is None or make is checked:
                        raise
                    make = checked
                except EndedError as ended:
                    endings.note(ended)

        try:
            return await self._in_thread(run)
        except _RefusedAtEndError as error:
            raise StorageError(f"{self.name}: {error}") from error
        except StorageError as error:
            if type(error) is not StorageError or str(error).startswith(self.name):
                raise
            raise StorageError(f"{self.name}: {error}") from error  # a plan does not know where it runs
        finally:
            if self._on_sql_command is not None:
                for statement in ran:
                    self._on_sql_command(statement.sql, statement.params)

    async def _look(self) -> object:
        return await self._in_thread(self._look_now)

    async def _in_thread(self, work: Callable[[], R]) -> R:
        self._driver.check_process()
        try:
            return await self._thread.run(work)
        except self._driver.errors as error:
            raise StorageError(f"{self.name}: {error}") from error
        finally:
            news, self._news = self._news, []
            if self._report is not None:
                for sentence in news:
                    self._report(StorageError(sentence))

    # -- in the thread -----------------------------------------------------------------------------------

    def _loss(self) -> StorageError | None:
        """Say what became of the file that is open; ``None`` where all is well."""
        driver = self._driver
        loss = driver.loss()
        if loss is None and driver.moves == self._moves:
            return None
        if not driver.owned:
            return StorageError(
                f"{loss}, and is not ours to open anew: nothing was saved there; make a persister with a"
                " connection to the file that is there now"
            )
        path = driver.name if driver.file is None else driver.file.path
        return PlaceReplacedError(loss or f"{path} was removed or replaced while it was open")

    def _keep_log(self) -> None:
        """Bring into the database what stands in a write-ahead log that was removed."""
        log = self._driver.log
        if log is not None and log.loss() is not None and (news := log.renew()) is not None:
            self._news.append(news)

    def _look_now(self) -> object:
        self._driver.open()
        if self._loss() is not None:
            return object()  # as nothing seen before
        if self._driver.in_transaction:
            return self._seen  # the program has begun something on its connection; its end will be seen
        self._keep_log()
        return self._seen_now()

    def _seen_now(self) -> tuple[object, ...]:
        return (
            *self._driver.seen(),
            *(self._driver.execute(f"PRAGMA {place}data_version") for place in self._attached_now()),
        )

    def _attached_now(self) -> list[str]:
        """The databases with tables of ours that are attached at present, quoted and with a dot."""
        if not self._attached:
            return []
        there = {str(row[1]) for row in self._driver.execute("PRAGMA database_list")}
        return [f"{quote(schema)}." for schema in self._attached if schema in there]

    def _transact(self, begin: str, plan: Plan[R], ran: list[Statement]) -> tuple[R, object, object]:
        driver = self._driver
        driver.open()
        if (loss := self._loss()) is not None:
            raise loss
        if not driver.in_transaction:
            self._keep_log()
        apart = driver.seen() if driver.looks_apart else None
        driver.execute(begin)
        self._writing = True
        try:
            # In the transaction, and for reads after its first look at the data: nobody comes between.
            for place in ("", *self._attached_now()):
                driver.execute(f"SELECT 1 FROM {place}sqlite_schema LIMIT 1")
            if driver.log is not None:
                driver.log.note()
            before = self._seen_now() if apart is None else apart
            result = self._drive(plan, ran)
            after = self._seen_now() if apart is None else apart
            self._commit()
        except BaseException:
            # After some errors, a full disk among them, SQLite has rolled back by itself.
            if driver.in_transaction:
                driver.execute("ROLLBACK")
            if (loss := self._loss()) is not None:  # without its name a file may not be written, and the like
                raise loss from None
            raise
        finally:
            self._writing = False
        if (loss := self._loss()) is not None:  # what was committed is in a file that nobody will read
            raise loss
        self._keep_log()
        return result, before, after

    def _commit(self) -> None:
        try:
            self._driver.execute("COMMIT")
        except self._driver.errors as error:
            if self._refuses_row(error):  # by a foreign key that could wait until here
                raise _RefusedAtEndError(str(error)) from error
            raise

    def _drive(self, plan: Plan[R], ran: list[Statement]) -> R:
        running = RunningPlan(plan)
        while (statement := running.next_statement()) is not None:
            ran.append(statement)
            try:
                running.rows = self._execute_leniently(statement)
            except RefusedError as refusal:
                running.refusal = refusal
        return running.result

    def _execute_leniently(self, statement: Statement) -> list[Sequence[Any]]:
        try:
            if statement.sql in self._endings:
                return self._execute_warily(statement)
            return self._execute(statement)
        except self._driver.errors as error:
            if not statement.lenient:
                raise
            if self._refuses_row(error):
                if statement.many:
                    return self._one_by_one(statement)
                raise RefusedError(str(error), row=True) from error
            self._raise_if_ended(statement.sql, None if statement.many else statement.params, error)
            self._raise_if_refused(error)
            raise

    def _execute_warily(self, statement: Statement) -> list[Sequence[Any]]:
        """Run a statement that has ended the transaction before, without the rows that it was for."""
        if (refusal := self._endings.refusal(statement.sql)) is not None:
            raise RefusedError(refusal, row=False)
        if statement.many:
            return self._one_by_one(statement)
        if (reason := self._endings.reason(statement.sql, statement.params)) is not None:
            raise RefusedError(reason, row=True)
        return self._execute(statement)

    def _execute(self, statement: Statement) -> list[Sequence[Any]]:
        if not statement.many:
            return self._driver.execute(statement.sql, statement.params)
        if statement.lenient and (len(statement.params) > 1 or statement.triggers):
            self._write_or_not(statement.sql, statement.params)
        else:
            self._driver.executemany(statement.sql, statement.params)
        return []

    def _write_or_not(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Write all of the rows, or none where one is refused.

        Those before that are written again with the others, whose triggers must not see both; and a trigger
        that fails by ``RAISE(FAIL)`` leaves in the table even what it refuses.
        """
        self._driver.execute("SAVEPOINT weft_rows")
        try:
            self._driver.executemany(sql, rows)
        except BaseException:
            if self._driver.in_transaction:
                self._driver.execute("ROLLBACK TO weft_rows")
                self._driver.execute("RELEASE weft_rows")
            raise
        self._driver.execute("RELEASE weft_rows")

    def _one_by_one(self, statement: Statement) -> list[Sequence[Any]]:
        """Run a statement for each row, if need be a second time; tells which were refused, and why."""
        refused: list[Sequence[Any]] = []
        for number, params in enumerate(statement.params):
            if (reason := self._endings.reason(statement.sql, params)) is not None:
                refused.append((number, reason))
                continue
            try:
                self._write_or_not(statement.sql, [params])
            except self._driver.errors as error:
                if not self._refuses_row(error):
                    self._raise_if_ended(statement.sql, params, error)
                    self._raise_if_refused(error)
                    raise
                refused.append((number, str(error)))
        return refused

    def _refuses_row(self, error: Exception) -> bool:
        return self._driver.refuses_row(error) and self._driver.in_transaction

    def _raise_if_ended(self, sql: str, params: Sequence[Any] | None, error: Exception) -> None:
        if self._driver.refuses_row(error) and not self._driver.in_transaction:
            raise EndedError(sql, params, str(error)) from error

    def _raise_if_refused(self, error: Exception) -> None:
        if self._driver.refuses_statement(error) and self._driver.in_transaction:
            raise RefusedError(str(error), row=False) from error


class _RefusedAtEndError(Exception):
    """All of a transaction was refused where it was to be committed, for something in it."""
