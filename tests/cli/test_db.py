from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from support.commands import first_lines, weft
from support.postgres_suite import run
from support.serving import WeftServe
from support.yclient import YClient

if TYPE_CHECKING:
    from pathlib import Path

    from support.postgres import PostgresServer


@pytest.fixture
async def dsn(postgres: PostgresServer) -> str:
    """An empty database, by an address with a password."""
    await run(postgres.dsn, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
    return postgres.dsn.replace("weft@", "weft:secret@")


async def test_rooms_in_postgresql_survive_the_server(dsn: str, tmp_path: Path) -> None:
    place = dsn.replace("weft:secret@", "")
    refused = await asyncio.to_thread(weft, "serve", "--port", "0", "--db", dsn)
    assert refused.returncode == 1
    assert refused.stderr == (
        f"weft serve: {place}: weft's tables are not there; make them with: weft db init {place}\n"
    )
    for _ in range(2):
        done = await asyncio.to_thread(weft, "db", "init", dsn)
        assert (done.returncode, done.stdout, done.stderr) == (0, f"{place} is ready.\n", "")
    for number in range(2):
        with WeftServe(dsn) as server:
            async with YClient(server.url, "farm") as client:
                await client.synced()
                assert client.content == {f"k{at}": at for at in range(number)}
                await client.set(**{f"k{number}": number})
                await client.flush()
    (greeting,) = await asyncio.to_thread(first_lines, tmp_path, 1, "--db", dsn)
    assert greeting.endswith(f" and keeps the rooms in {place}\n")


def test_a_file_is_made_and_memory_needs_nothing(tmp_path: Path) -> None:
    done = weft("db", "init", "rooms.sqlite3", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "rooms.sqlite3 is ready.\n", "")
    assert (tmp_path / "rooms.sqlite3").is_file()
    assert weft("db", "init", "memory:").returncode == 0


@pytest.mark.parametrize("arguments", [("db", "init"), ("serve", "--db")])
def test_another_kind_of_address_is_misuse(arguments: tuple[str, ...]) -> None:
    done = weft(*arguments, "mysql://host/rooms")
    assert done.returncode == 2
    assert "mysql:// is not known: give a path, memory:, or postgresql://" in done.stderr


def test_without_the_extra_it_says_what_to_install() -> None:
    program = (
        "import sys; sys.modules['asyncpg'] = None;"
        "from weft.cli import main; sys.exit(main(['db', 'init', 'postgresql://host/rooms']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=50, check=False
    )
    assert done.returncode == 1
    assert done.stderr == "weft: asyncpg is missing; install it with: pip install 'weft[postgres]'\n"
