from __future__ import annotations

from weft.persisters import TablesConfig
from weft.persisters.sql.tables_persister import TablesPersister
from weft.store import Store


def test_what_is_left_out_is_told_once_for_each_place() -> None:
    class Nowhere(TablesPersister):
        async def read(self) -> None: ...
        async def write(self, get_content: object, changes: object = None) -> None: ...

    told: list[str] = []
    persister = Nowhere(Store(), TablesConfig(), on_ignored_error=lambda error: told.append(str(error)))
    persister._tell({("cell", "t", "a"): "one"})
    persister._tell({("cell", "t", "a"): "one", ("row", "t", "a"): "two"})
    persister._tell({("row", "t", "a"): "two"})
    persister._tell({("cell", "t", "a"): "one", ("cell", "u", "a"): "three"})
    persister._tell({("row", "t", "a"): "two again, as it was saved in between"})
    assert told == ["one", "two", "three", "two again, as it was saved in between"]
