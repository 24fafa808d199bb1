"""A database of rooms for the commands that see to one: a SQLite file, or PostgreSQL."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from support.commands import weft
from support.postgres_suite import run
from support.storage_suite import write_changes, write_updates
from weft.documents.yjs.document import create_doc
from weft.server.automerge_repo.room import storage_name
from weft.server.storage import storage_at

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping
    from pathlib import Path

    from support.postgres import PostgresServer

__all__ = ["AUTOMERGE", "AUTOMERGE_URL", "Database", "new_postgres", "new_sqlite"]

AUTOMERGE = storage_name("2JtZRpFVJp1FworAZN2Dm72ukMKy")
AUTOMERGE_URL = "automerge:2JtZRpFVJp1FworAZN2Dm72ukMKy"


class Database:
    """One of them. Its ``address`` is what the commands take."""

    def __init__(self, address: str) -> None:
        self.address = address

    @property
    def is_postgres(self) -> bool:
        return self.address.startswith("postgresql:")

    def db(self, command: str, *arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
        """``weft db COMMAND ADDRESS …``."""
        return weft("db", *command.split(), self.address, *arguments, **options)

    async def fill(self, **counts: int) -> dict[str, list[bytes]]:
        """Write so many updates into rooms; ``automerge`` is a document. Returns the rows of each room."""
        rows = {
            AUTOMERGE if name == "automerge" else name: (
                write_changes(count) if name == "automerge" else write_updates(create_doc(), count)
            )
            for name, count in counts.items()
        }
        async with storage_at(self.address) as storage:
            for name, updates in rows.items():
                for update in updates:
                    await storage.stored(storage.append(name, update))
        return rows

    async def rows(self) -> Mapping[str, list[bytes]]:
        """All rooms."""
        async with storage_at(self.address) as storage:
            return {room.name: (await storage.load(room.name)).rows for room in await storage.rooms()}

    async def change(self, statement: str) -> None:
        """Change the tables of SQLite, or those of PostgreSQL that are called and have columns likewise."""
        if self.is_postgres:
            statement = statement.replace("updates", "weft_updates").replace("rooms", "weft_rooms")
            await run(self.address, statement.replace("number", "seq").replace("x'", "'\\x"))
        else:
            with closing(sqlite3.connect(self.address, isolation_level=None)) as db:
                db.execute(statement)


async def new_postgres(server: PostgresServer) -> Database:
    """An empty one with weft's tables."""
    await run(server.dsn, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
    await storage_at(server.dsn).init()
    return Database(server.dsn)


async def new_sqlite(folder: Path) -> Database:
    """A new file."""
    path = str(folder / "rooms.sqlite3")
    await storage_at(path).init()
    return Database(path)
