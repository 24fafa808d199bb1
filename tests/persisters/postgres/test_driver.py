"""What every driver of PostgreSQL must do that the persisters' suite does not ask."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

import pytest

from support.postgres_suite import DRIVERS
from weft.errors import StorageError
from weft.persisters import PostgresJsonPersister
from weft.store import Store
from weft.testing.persisters import PETS

if TYPE_CHECKING:
    from weft.persisters import PostgresDriver


async def test_a_server_that_is_not_there_is_an_error() -> None:
    async with PostgresJsonPersister(Store(), "postgresql://weft@127.0.0.1:1/postgres") as persister:
        with pytest.raises(StorageError, match="PostgreSQL"):
            await persister.load()


@pytest.mark.parametrize("driver", DRIVERS.values())
@pytest.mark.parametrize("dsn", ["postgres//u:secret@h/db", "postgresql://u:secret/%word@127.0.0.1:1/db"])
async def test_an_error_of_a_dsn_shows_no_password(driver: type[PostgresDriver], dsn: str) -> None:
    store = Store().set_content(PETS)
    async with PostgresJsonPersister(store, driver(dsn)) as persister:
        for verb in (persister.load, persister.start_auto_load):
            with pytest.raises(StorageError) as caught:
                await verb()
            assert "secret" not in "".join(traceback.format_exception(caught.value))
    assert store.get_content() == PETS
