"""SQLite files through Turso's engine, ``pyturso``. Beta, as that package is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import turso

from weft._support.arguments import path_of
from weft.persisters.sqlite.driver import SqliteDriver, speaks_of_database, speaks_of_statement

if TYPE_CHECKING:
    import os

__all__ = ["TursoDriver"]


class TursoDriver(SqliteDriver):
    """A connection of ``pyturso`` to a local file. Beta.

    The engine keeps other processes of its own kind out of the file, and does not see what another SQLite
    library writes there: auto-load hears of writes through this connection only, that is of other persisters
    that share this driver.

    Args:
        database: Path.
    """

    errors = (turso.Error, ValueError, TypeError, OverflowError)
    refusals = (turso.IntegrityError,)

    def __init__(self, database: str | os.PathLike[str]) -> None:
        self.name = path_of(database)

    def connect(self) -> Any:
        """Connect."""
        return turso.connect(self.name, isolation_level=None)

    def refuses_row(self, error: Exception) -> bool:
        """What a trigger raises is of the class of all other errors, and is given as it is."""
        if super().refuses_row(error):
            return True
        text = str(error)
        return type(error) is turso.DatabaseError and not (
            speaks_of_database(text) or speaks_of_statement(text)
        )

    def seen(self) -> tuple[object, ...]:
        """Count what this connection changed; the engine has no ``data_version``."""
        return tuple(self.execute("SELECT total_changes()")[0])
