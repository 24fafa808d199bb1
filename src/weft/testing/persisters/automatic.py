"""The part of the persister suite about what happens by itself."""

from __future__ import annotations

import asyncio

import pytest

from weft.errors import StorageError
from weft.persisters import PersisterStatus
from weft.store import Store
from weft.testing.persisters.hooks import MORE, PETS, Failing, Gate, PersisterHooks, until

__all__ = ["AutomaticTests"]


class AutomaticTests(PersisterHooks):
    """Automatic saving and loading."""

    async def test_auto_save_saves_what_is_there_and_what_comes(self) -> None:
        store = self.make_store(PETS)
        async with self.make(store) as persister:
            await persister.start_auto_save()
            assert persister.is_auto_saving()
            assert await self.read_raw() == PETS
            store.set_cell("pets", "fido", "price", 6)
            store.set_value("open", "maybe")
            await until(
                lambda: persister.get_stats().saves > 1 and persister.get_status() is PersisterStatus.IDLE
            )
        tables, values = await self.loaded_content()
        assert tables["pets"]["fido"]["price"] == 6
        assert values == {"open": "maybe"}

    async def test_all_transactions_of_one_tick_arrive(self) -> None:
        store = self.make_store()
        async with self.make(store) as persister:
            await persister.start_auto_persisting(PETS)
            saves = persister.get_stats().saves
            for price in range(10):
                store.set_cell("pets", "fido", "price", price)
                store.set_cell("pets", f"pet{price}", "price", price)
                store.set_cell("pets", f"pet{price}", "species", "dog")
            await persister.stop_auto_persisting()
            assert persister.get_stats().saves <= saves + 2
        tables, _ = await self.loaded_content()
        assert tables["pets"]["fido"]["price"] == 9
        assert {tables["pets"][f"pet{price}"]["price"] for price in range(10)} == set(range(10))

    async def test_deletions_are_saved(self) -> None:
        store = self.make_store()
        await self.fill_place(MORE)
        async with self.make(store) as persister:
            await persister.start_auto_persisting()
            store.del_row("pets", "felix")
            store.del_value("open")
            store.del_cell("pets", "fido", "price")
            await persister.stop_auto_persisting()
            loaded = Store().set_content(await self.loaded_content())
            assert loaded.get_row_ids("pets") == ["fido"]
            assert loaded.get_cell("pets", "fido", "price") is None
            assert loaded.get_value("open") is None
            await persister.start_auto_save()
            store.del_table("pets")
        assert (await self.loaded_content())[0] == {}

    async def test_who_only_auto_saves_deletes_nothing_it_never_loaded(self) -> None:
        await self.write_raw(MORE)
        store = self.make_store()
        store.set_row("pets", "cujo", {"species": "wolf", "price": 1})
        async with self.make(store) as persister:
            await persister.start_auto_save()
            store.set_row("pets", "rex", {"species": "dog", "price": 2})
            store.del_row("pets", "cujo")
        tables, values = await self.loaded_content()
        assert set(tables["pets"]) == {"fido", "felix", "rex"}
        assert tables["pets"]["felix"] == MORE[0]["pets"]["felix"]
        assert values == MORE[1]

    async def test_edits_made_while_a_load_runs_survive_and_are_saved(self) -> None:
        await self.write_raw(PETS)
        store = self.make_store()
        async with self.make(store) as persister:
            await persister.start_auto_persisting()
            gate = Gate(persister, "read")
            load = asyncio.create_task(persister.load())
            await gate.reached.wait()
            store.set_cell("pets", "fido", "price", 99)
            store.set_row("pets", "rex", {"species": "dog", "price": 1})
            store.del_value("open")
            gate.open.set()
            await load
            assert store.get_cell("pets", "fido", "price") == 99
        tables, values = await self.loaded_content()
        assert tables["pets"]["fido"] == {"species": "dog", "price": 99}
        assert tables["pets"]["rex"] == {"species": "dog", "price": 1}
        assert values.get("open") is None

    async def test_edits_made_while_a_save_runs_are_saved_next(self) -> None:
        store = self.make_store()
        async with self.make(store) as persister:
            await persister.start_auto_persisting(PETS)
            gate = Gate(persister, "write")
            store.set_cell("pets", "fido", "price", 6)
            await gate.reached.wait()
            for price in range(7, 10):
                store.set_cell("pets", "fido", "price", price)
            store.set_cell("pets", "fido", "species", "wolf")
            gate.open.set()
        assert (await self.loaded_content())[0]["pets"]["fido"] == {"species": "wolf", "price": 9}

    async def test_a_failed_automatic_save_is_reported_and_tried_again(self) -> None:
        errors: list[Exception] = []
        store = self.make_store()
        async with self.make(store, on_error=errors.append) as persister:
            persister.first_retry_seconds = 0.005
            await persister.start_auto_persisting(PETS)
            Failing(persister, "write", 3)
            store.set_cell("pets", "fido", "price", 6)
            await until(lambda: len(errors) == 3)
            await until(persister.is_at_rest)
            assert [str(error) for error in errors] == ["made to fail"] * 3
        assert (await self.loaded_content())[0]["pets"]["fido"]["price"] == 6

    async def test_close_ends_also_while_saves_keep_failing(self) -> None:
        store = self.make_store()
        persister = self.make(store, on_error=lambda _: None)
        persister.first_retry_seconds = 0.005
        await persister.start_auto_persisting(PETS)
        Failing(persister, "write", 1000)
        gate = Gate(persister, "write")
        store.set_cell("pets", "fido", "price", 6)
        await gate.reached.wait()
        end = asyncio.create_task(persister.close())
        await asyncio.sleep(0)
        gate.open.set()
        with pytest.raises(StorageError, match="made to fail"):
            await end

    # -- automatic loading -------------------------------------------------------------------------------

    async def test_auto_load_hears_of_others(self) -> None:
        if not self.notifies:
            pytest.skip("this place tells of no changes")
        await self.write_raw(PETS)
        store = self.make_store()
        async with self.make(store) as persister:
            await persister.start_auto_load()
            assert persister.is_auto_loading()
            assert store.get_content() == PETS
            await self.write_raw(MORE)
            await until(lambda: store.get_content() == MORE)
            await self.write_raw(PETS)
            await until(lambda: store.get_content() == PETS)

    async def test_auto_load_hears_of_others_who_put_back_what_they_had_written(self) -> None:
        if not self.notifies:
            pytest.skip("this place tells of no changes")
        store = self.make_store()
        async with self.make(store) as persister:
            await persister.start_auto_persisting(PETS)
            for _ in range(2):
                await self.write_raw(MORE)
                await until(lambda: store.get_content() == MORE)
                store.set_cell("pets", "fido", "price", 99)
                await until(persister.is_at_rest)
            assert (await self.loaded_content())[0]["pets"]["fido"]["price"] == 99

    async def test_after_the_stop_nothing_is_loaded_or_saved_by_itself(self) -> None:
        store = self.make_store()
        async with self.make(store) as persister:
            await persister.start_auto_persisting(PETS)
            await persister.stop_auto_persisting()
            assert not persister.is_auto_loading()
            assert not persister.is_auto_saving()
            stats = persister.get_stats()
            store.set_cell("pets", "fido", "price", 6)
            await self.write_raw(MORE)
            await asyncio.sleep(0)
            assert persister.get_stats() == stats
        assert await self.loaded_content() == MORE

    async def test_two_persisters_of_one_place_follow_each_other(self) -> None:
        if not self.notifies:
            pytest.skip("this place tells of no changes")
        one, two = self.make_store(), self.make_store()
        async with self.make(one) as first, self.make(two) as second:
            await first.start_auto_persisting(PETS)
            await second.start_auto_persisting()
            assert two.get_content() == PETS
            for number in range(5):
                one.set_row("pets", f"one{number}", {"species": "dog", "price": number})
                two.set_row("pets", f"two{number}", {"species": "cat", "price": number})
                await until(lambda: one.get_content() == two.get_content() and one.get_row_count("pets") > 1)
            await until(lambda: one.get_row_count("pets") == two.get_row_count("pets") == 11)
            await until(lambda: first.is_at_rest() and second.is_at_rest())
            assert one.get_content() == two.get_content()
        assert len((await self.loaded_content())[0]["pets"]) == 11

    async def test_a_quiet_place_is_left_alone(self) -> None:
        store = self.make_store()
        async with self.make(store) as persister:
            await persister.start_auto_persisting(PETS)
            store.set_cell("pets", "fido", "price", 6)
            await until(persister.is_at_rest)
            stats = persister.get_stats()
            await asyncio.sleep(0.2)  # no echo: time for a look or two at the place
            assert persister.get_stats().saves == stats.saves
            assert persister.get_stats().loads <= stats.loads + 1
