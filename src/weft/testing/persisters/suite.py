"""The persister suite: loading, saving, errors, and the rest of the engine."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest

from weft.errors import StorageError
from weft.persisters import PersisterStatus, blocking
from weft.testing.persisters.automatic import AutomaticTests
from weft.testing.persisters.hooks import MORE, PETS, Failing, until

if TYPE_CHECKING:
    from weft.changes import Content
    from weft.persisters import Persister

__all__ = ["PersisterSuite"]


class PersisterSuite(AutomaticTests):
    """The tests that every persister passes; see :mod:`weft.testing.persisters`."""

    async def test_an_empty_place_leaves_the_store_as_it_is(self) -> None:
        store = self.make_store(PETS)
        async with self.make(store) as persister:
            await persister.load()
        assert store.get_content() == PETS

    async def test_what_was_saved_comes_back(self) -> None:
        assert self.contents
        for content in self.contents:
            await self.fill_place(content)
            assert await self.loaded_content() == content

    async def test_what_was_saved_is_in_the_place(self) -> None:
        await self.fill_place(MORE)
        assert await self.read_raw() == MORE

    async def test_what_others_wrote_is_loaded(self) -> None:
        await self.write_raw(MORE)
        assert await self.loaded_content() == MORE

    async def test_a_load_replaces_what_the_store_held_or_merges_with_it(self) -> None:
        await self.write_raw(PETS)
        held: Content = {"pets": {"cujo": {"species": "wolf"}}}, {"closed": "x"}
        merged: Content = {"pets": {**held[0]["pets"], **PETS[0]["pets"]}}, {**held[1], **PETS[1]}
        store = self.make_store(held)
        async with self.make(store) as persister:
            await persister.load()
        assert store.get_content() == (merged if self.merges else PETS)

    async def test_a_save_replaces_what_the_place_held(self) -> None:
        await self.fill_place(MORE)
        await self.fill_place(PETS)
        assert await self.loaded_content() == PETS
        assert await self.read_raw() == PETS

    async def test_initial_content_is_for_empty_places(self) -> None:
        store = self.make_store()
        async with self.make(store) as persister:
            await persister.load(lambda: PETS)
            assert store.get_content() == PETS
            await self.write_raw(MORE)
            await persister.load(PETS)
            assert store.get_content() == MORE

    async def test_the_blocking_form_loads_and_saves(self) -> None:
        def script() -> Content:
            with blocking(self.make(self.make_store(PETS))) as persister:
                persister.save()
            store = self.make_store()
            with blocking(self.make(store)) as persister:
                persister.load()
                store.set_cell("pets", "fido", "price", 6)
                persister.save()
            with blocking(self.make(self.make_store())) as persister:
                return persister.load().get_store().get_content()

        content = await asyncio.to_thread(script)
        assert content[0]["pets"]["fido"] == {"species": "dog", "price": 6}

    async def test_the_blocking_form_refuses_to_run_inside_a_loop(self) -> None:
        persister = self.make(self.make_store())
        with pytest.raises(RuntimeError, match="await"), blocking(persister):
            pytest.fail("entered")
        await persister.close()

    # -- errors ------------------------------------------------------------------------------------------

    async def test_explicit_calls_raise_and_the_store_is_untouched(self) -> None:
        store = self.make_store(PETS)
        async with self.make(store) as persister:
            for verb in ("read", "write"):
                Failing(persister, verb, 1)
            with pytest.raises(StorageError, match="made to fail"):
                await persister.load(MORE)
            with pytest.raises(StorageError, match="made to fail"):
                await persister.save()
            assert persister.get_status() is PersisterStatus.IDLE
            assert store.get_content() == PETS
            await persister.save()
        assert await self.loaded_content() == PETS

    async def test_a_start_that_fails_starts_nothing(self) -> None:
        async with self.make(self.make_store()) as persister:
            Failing(persister, "read", 1)
            with pytest.raises(StorageError):
                await persister.start_auto_persisting(PETS)
            assert not persister.is_auto_loading()
            assert not persister.is_auto_saving()
            await persister.start_auto_persisting(PETS)
        assert await self.loaded_content() == PETS

    async def test_bad_stored_data_is_an_error_and_a_save_repairs_it(self) -> None:
        store = self.make_store(PETS)
        async with self.make(store) as persister:
            await self.write_bad()

            async def load_more() -> Persister:
                return await persister.load(MORE)

            # Automatic saves do not replace it either, or the next load would find content.
            for action in (load_more, persister.start_auto_save, load_more):
                with pytest.raises(StorageError):
                    await action()
                assert store.get_content() == PETS
            await persister.save()
        assert await self.loaded_content() == PETS

    async def test_bad_stored_data_stops_no_auto_load(self) -> None:
        if not self.notifies:
            pytest.skip("this place tells of no changes")
        errors: list[Exception] = []
        store = self.make_store()
        await self.write_raw(PETS)
        async with self.make(store, on_error=errors.append) as persister:
            persister.first_retry_seconds = 0.01
            await persister.start_auto_load()
            await self.write_bad()
            await until(lambda: bool(errors))
            assert store.get_content() == PETS
            await self.write_raw(MORE)
            await until(lambda: store.get_content() == MORE)

    # -- the rest of the engine --------------------------------------------------------------------------

    async def test_status_and_statistics_say_what_happens(self) -> None:
        seen: list[tuple[bool, PersisterStatus]] = []
        async with self.make(self.make_store(PETS)) as persister:
            listener_id = persister.add_status_listener(
                lambda teller, status: seen.append((teller is persister, status))
            )
            assert persister.get_status() is PersisterStatus.IDLE
            await persister.save()
            await persister.load()
            assert seen == [
                (True, status)
                for status in (
                    PersisterStatus.SAVING,
                    PersisterStatus.IDLE,
                    PersisterStatus.LOADING,
                    PersisterStatus.IDLE,
                )
            ]
            persister.del_listener(listener_id)
            await persister.load()
            assert len(seen) == 4
            stats = persister.get_stats()
            assert (stats.loads, stats.saves) == (2, 1)
            assert persister.get_store().get_content() == PETS

    async def test_scheduled_actions_run_in_order_and_may_load_and_save(self) -> None:
        ran: list[int] = []
        store = self.make_store(PETS)
        async with self.make(store) as persister:

            async def save() -> None:
                ran.append(1)
                await persister.save()

            async def load() -> None:
                store.set_content(MORE)
                await persister.load()
                ran.append(2)

            async def fail() -> None:
                raise ZeroDivisionError

            await asyncio.gather(persister.schedule(save, load), persister.save())
            assert ran == [1, 2]
            assert store.get_content() == (MORE if self.merges else PETS)
            with pytest.raises(ZeroDivisionError):
                await persister.schedule(save, fail, save)
            assert ran == [1, 2, 1]

    async def test_many_calls_at_once_take_turns(self) -> None:
        store = self.make_store()
        async with self.make(store) as persister:
            await persister.start_auto_persisting(PETS)

            async def work(number: int) -> None:
                store.set_row("pets", f"pet{number}", {"species": "dog", "price": number})
                await (persister.load() if number % 2 else persister.save())

            await asyncio.gather(*(work(number) for number in range(20)))
            assert store.get_row_count("pets") == 21
        assert len((await self.loaded_content())[0]["pets"]) == 21

    async def test_a_cancelled_save_spoils_nothing(self) -> None:
        store = self.make_store()
        async with self.make(store) as persister:
            await persister.start_auto_persisting(PETS)
            store.set_cell("pets", "fido", "price", 6)
            save = asyncio.create_task(persister.save())
            await asyncio.sleep(0)
            save.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await save
            store.set_cell("pets", "fido", "species", "wolf")
        assert (await self.loaded_content())[0]["pets"]["fido"] == {"species": "wolf", "price": 6}

    async def test_close_saves_what_is_left_and_is_the_end(self) -> None:
        store = self.make_store()
        persister = self.make(store)
        await persister.start_auto_persisting(PETS)
        store.set_cell("pets", "fido", "price", 6)
        await persister.close()
        await persister.close()
        assert (await self.loaded_content())[0]["pets"]["fido"]["price"] == 6
        store.set_cell("pets", "fido", "price", 7)
        for verb in (persister.load, persister.save, persister.start_auto_load, persister.start_auto_save):
            with pytest.raises(StorageError, match="closed"):
                await verb()
        assert (await self.loaded_content())[0]["pets"]["fido"]["price"] == 6

    async def test_the_block_form_saves_at_its_end(self) -> None:
        store = self.make_store()
        async with self.make(store) as persister:
            async with persister.auto_persisting(PETS):
                store.set_cell("pets", "fido", "price", 6)
            assert not persister.is_auto_saving()
        assert (await self.loaded_content())[0]["pets"]["fido"]["price"] == 6
