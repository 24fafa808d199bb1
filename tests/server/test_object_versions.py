from __future__ import annotations

import pytest
from obstore.store import MemoryStore

from support.servers import serving
from weft.errors import StorageError
from weft.server import ObjectVersions


async def test_versions_are_objects_that_are_written_once() -> None:
    objects = MemoryStore()
    place = ObjectVersions(objects)
    async with serving(versions=place) as server:
        versions = server.versions("farm/äöü 🐕")
        async with server.open("farm/äöü 🐕") as store:
            store.set_cell("pets", "fido", "species", "dog")
        await versions.save("v1: ünter/strich")
        with pytest.raises(StorageError, match="already"):
            await versions.save("v1: ünter/strich")
        async with server.open("farm/äöü 🐕") as store:
            store.del_tables()
        assert [version.name for version in await versions.list()] == ["v1: ünter/strich"]
        await versions.restore("v1: ünter/strich")
        async with server.open("farm/äöü 🐕") as store:
            assert store.get_tables() == {"pets": {"fido": {"species": "dog"}}}
        assert await server.versions("farm").list() == []
        await versions.delete("v1: ünter/strich")
        await versions.delete("v1: ünter/strich")
        with pytest.raises(StorageError, match="no version"):
            await versions.restore("v1: ünter/strich")
    await place.close()
