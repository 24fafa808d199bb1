"""The persisters' suite for places that are CRDT documents."""

from __future__ import annotations

from weft.store import Store
from weft.testing.persisters import MORE, PETS, PersisterSuite, until

__all__ = ["MirroredSuite"]


class MirroredSuite(PersisterSuite):
    """A document cannot be bad as a whole: what is no content in it is left out, and healed by a save."""

    async def test_bad_stored_data_is_an_error_and_a_save_repairs_it(self) -> None:
        await self.fill_place(PETS)
        await self.write_bad()
        store = Store().set_content(MORE)
        async with self.make(store, on_error=lambda error: None) as persister:
            await persister.save()
        assert await self.loaded_content() == MORE

    async def test_bad_stored_data_stops_no_auto_load(self) -> None:
        store = Store()
        await self.write_raw(PETS)
        async with self.make(store, on_error=lambda error: None) as persister:
            await persister.start_auto_load()
            await self.write_bad()
            await self.write_raw(MORE)
            await until(lambda: store.get_content() == MORE)
