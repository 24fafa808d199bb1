"""What the persisters' suite finds at tables that are somebody else's, whichever the database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from weft.errors import StorageError
from weft.store import Store
from weft.testing.persisters import PETS

if TYPE_CHECKING:
    from weft.testing.persisters import PersisterSuite

__all__ = ["expect_refusal_without_row_ids"]


async def expect_refusal_without_row_ids(suite: PersisterSuite) -> None:
    """A table without row ids is refused, and not repaired; the suite's ``write_bad`` makes it."""
    store = Store().set_content(PETS)
    async with suite.make(store) as persister:
        await suite.write_bad()
        for verb in (persister.load, persister.save):
            with pytest.raises(StorageError, match="no column '_id'"):
                await verb()
    assert store.get_content() == PETS
