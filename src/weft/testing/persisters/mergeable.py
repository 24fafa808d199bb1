"""The persister suite of places that keep a ``MergeableStore`` as text."""

from __future__ import annotations

import time
from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

import pytest

from weft.errors import RemoteProtocolError, StorageError
from weft.mergeable import MergeableStore, from_json
from weft.store import Store
from weft.testing.persisters.hooks import MORE, PETS, until
from weft.testing.persisters.suite import PersisterSuite

if TYPE_CHECKING:
    from weft.changes import Content

__all__ = ["MergeablePersisterSuite"]

_last_ms = [0]


def _tick() -> int:
    _last_ms[0] = max(time.time_ns() // 1_000_000, _last_ms[0] + 1)
    return _last_ms[0]


_FAR_AHEAD = '[[{"pets":[{"fido":[{"price":[1,"zzzzzzz----ABCDE",5]},"",5]},"",5]},"",5],[{},"",0]]'
_PLAIN = '[{"pets":{"felix":{"price":1}}},{"open":"there"}]'


class MergeablePersisterSuite(PersisterSuite):
    """The tests of a place that keeps a ``MergeableStore`` as TinyBase's text of its mergeable content."""

    merges: ClassVar[bool] = True

    @abstractmethod
    async def read_text(self) -> str | None:
        """Read the text round the persister; ``None`` where there is none."""

    @abstractmethod
    async def write_text(self, text: str) -> None:
        """Replace the text round the persister, as another program would."""

    def make_store(self, content: Content | None = None) -> MergeableStore:
        """Make a Store whose writes are later than all that others made here have written before."""
        store = MergeableStore(get_now=_tick)
        return store if content is None else store.set_content(content)

    async def read_raw(self) -> Content | None:
        """What the text holds, without what was deleted."""
        text = await self.read_text()
        return None if text is None else self._merged(text).get_content()

    async def write_raw(self, content: Content) -> None:
        """Write what another ``MergeableStore`` holds after it was made to hold this and nothing else."""
        text = await self.read_text()
        try:
            store = self._merged("" if text is None else text)
        except (ValueError, RemoteProtocolError):
            store = self.make_store()
        await self.write_text(store.set_content(content).document.content_text())

    async def write_bad(self) -> None:
        """Write the beginning of a text."""
        await self.write_text('[[{"pets":[{"fido"')

    @staticmethod
    def _merged(text: str) -> MergeableStore:
        store = MergeableStore(get_now=_tick)
        return store.set_mergeable_content(from_json(text)) if text else store

    async def test_the_text_is_the_mergeable_content(self) -> None:
        store = self.make_store(MORE)
        store.del_row("pets", "felix")
        async with self.make(store) as persister:
            await persister.save()
        assert await self.read_text() == store.document.content_text()

    async def test_a_load_merges_and_deletes_nothing(self) -> None:
        await self.write_raw(PETS)
        store = self.make_store(
            ({"pets": {"cujo": {"species": "wolf"}, "fido": {"price": 6}}}, {"closed": "x"})
        )
        async with self.make(store) as persister:
            await persister.load()
        assert store.get_content() == (
            {"pets": {"cujo": {"species": "wolf"}, "fido": {"species": "dog", "price": 6}}},
            {"open": "yes", "closed": "x"},
        )

    async def test_saves_of_several_processes_merge(self) -> None:
        stores = [self.make_store() for _ in range(3)]
        for number, store in enumerate(stores):
            store.set_row("pets", f"pet{number}", {"species": "dog", "price": number})
            store.set_cell("pets", "fido", "price", number)
            async with self.make(store) as persister:
                await persister.save()
        tables, _ = await self.loaded_content()
        assert sorted(tables["pets"]) == ["fido", "pet0", "pet1", "pet2"]
        assert tables["pets"]["fido"] == {"price": 2}
        # Who comes back with an older Store takes nothing back.
        async with self.make(stores[0]) as persister:
            await persister.start_auto_save()
            stores[0].del_row("pets", "pet0")
        tables, _ = await self.loaded_content()
        assert tables == {
            "pets": {
                "fido": {"price": 2},
                "pet1": {"species": "dog", "price": 1},
                "pet2": {"species": "dog", "price": 2},
            }
        }

    async def test_what_only_leaves_a_mark_of_a_deletion_is_saved(self) -> None:
        store = self.make_store()
        async with self.make(store) as persister:
            await persister.start_auto_save()
            with store.transaction():
                store.set_cell("pets", "fido", "price", 5)
                store.del_cell("pets", "fido", "price")
        text = await self.read_text()
        assert text is not None
        assert '"price":["\ufffc","' in text

    async def test_where_nothing_is_new_nothing_is_saved(self) -> None:
        await self.write_raw(PETS)
        store = self.make_store()
        async with self.make(store) as persister:
            await persister.start_auto_persisting()
            saves = persister.get_stats().saves
            text = await self.read_text()
            for _ in range(2):
                await persister.load()
            await until(persister.is_at_rest)
            assert persister.get_stats().saves == saves == 0
            assert await self.read_text() == text

    @pytest.mark.parametrize(
        "bad", [_FAR_AHEAD, '[[{},1,0],[{},"",0]]', '[[{"t":5},"",0],[{},"",0]]', "[[]]"]
    )
    async def test_what_cannot_be_merged_stays_as_it_is(self, bad: str) -> None:
        await self.write_text(bad)
        store = self.make_store(PETS)
        async with self.make(store) as persister:
            for verb in (persister.load, persister.start_auto_persisting, persister.start_auto_save):
                with pytest.raises(StorageError):
                    await verb()
            assert await self.read_text() == bad
            assert store.get_content() == PETS
            await persister.save()  # which is meant to
        assert await self.loaded_content() == PETS

    async def test_plain_content_is_taken_over(self) -> None:
        await self.write_text(_PLAIN)
        store = self.make_store(({"pets": {"fido": {"price": 5}}}, {"open": "here"}))
        async with self.make(store) as persister:
            with pytest.raises(StorageError, match=r"plain Store: load\(\)"):
                await persister.start_auto_save()
            assert await self.read_text() == _PLAIN
            await persister.start_auto_persisting()
        assert store.get_content() == (
            {"pets": {"fido": {"price": 5}, "felix": {"price": 1}}},
            {"open": "there"},
        )
        assert await self.read_text() == store.document.content_text()

    async def test_initial_content_loses_to_everything(self) -> None:
        store = self.make_store()
        async with self.make(store) as persister:
            await persister.start_auto_persisting(PETS)
        text = await self.read_text()
        assert text is not None
        assert '"fido":[{"species":["dog","",' in text
        late = self.make_store()
        async with self.make(late) as persister:
            late.set_cell("pets", "fido", "price", 1)
            await persister.load()
        assert late.get_cell("pets", "fido", "price") == 1

    async def test_a_plain_store_says_what_to_use(self) -> None:
        await self.write_raw(PETS)
        store = Store()
        async with self.make(store) as persister:
            with pytest.raises(StorageError, match=r"mergeable Store: load it into a weft\.mergeable"):
                await persister.load()
        assert store.get_content() == ({}, {})
