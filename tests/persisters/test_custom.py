from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest

from weft.errors import StorageError
from weft.persisters import create_custom_persister
from weft.store import Store
from weft.testing.persisters import MORE, PETS, PersisterSuite, until
from weft.values import UNDEFINED

if TYPE_CHECKING:
    from collections.abc import Callable

    from weft.changes import Content
    from weft.persisters import Persister


class TestFourPlainFunctions(PersisterSuite):
    @pytest.fixture(autouse=True)
    def place(self) -> None:
        self.kept: Any = None
        self.listeners: list[Callable[..., None]] = []

    def tell(self) -> None:
        for listener in self.listeners:
            listener()

    def make(self, store: Store, **options: Any) -> Persister:
        def add(listener: Callable[..., None]) -> Callable[..., None]:
            self.listeners.append(listener)
            return listener

        def put(get_content: Callable[[], Any], changes: object) -> None:
            self.kept = get_content()
            others = [listener for listener in self.listeners if listener.__self__ is not persister]  # type: ignore[attr-defined]
            for listener in others:
                listener()

        persister = create_custom_persister(
            store, lambda: copy.deepcopy(self.kept), put, add, self.listeners.remove, **options
        )
        return persister

    async def read_raw(self) -> Content | None:
        return None if self.kept is None else Store().set_json(self._json()).get_content()

    def _json(self) -> str:
        import json

        return json.dumps(self.kept)

    async def write_raw(self, content: Content) -> None:
        self.kept = content
        self.tell()

    async def write_bad(self) -> None:
        self.kept = {"pets": 5}
        self.tell()


class TestFourCoroutineFunctionsWithInlineContent(TestFourPlainFunctions):
    def tell(self) -> None:
        for listener in self.listeners:
            listener(self.kept) if isinstance(self.kept, tuple) else listener()

    def make(self, store: Store, **options: Any) -> Persister:
        async def get() -> Any:
            return copy.deepcopy(self.kept)

        async def put(get_content: Callable[[], Any], changes: object) -> None:
            self.kept = get_content()
            for listener in self.listeners:
                if listener.__self__ is not persister:  # type: ignore[attr-defined]
                    listener(copy.deepcopy(self.kept))

        async def add(listener: Callable[..., None]) -> int:
            self.listeners.append(listener)
            return len(self.listeners) - 1

        async def remove(handle: int) -> None:
            self.listeners.pop()

        persister = create_custom_persister(store, get, put, add, remove, **options)
        return persister


async def test_inline_changes_are_applied_at_once_and_are_no_edits() -> None:
    listeners: list[Callable[..., None]] = []
    saved: list[Any] = []
    store = Store()
    async with create_custom_persister(
        store,
        lambda: PETS,
        lambda get_content, changes: saved.append(changes),
        listeners.append,
        lambda handle: listeners.clear(),
    ) as persister:
        await persister.start_auto_persisting()
        listeners[0](None, ({"pets": {"fido": {"price": 7}, "rex": {"price": 1}}}, {"open": UNDEFINED}, 1))
        assert store.get_tables() == {"pets": {"fido": {"species": "dog", "price": 7}, "rex": {"price": 1}}}
        assert store.get_values() == {}
        listeners[0](None, ({"pets": {"fido": UNDEFINED}}, {}, 1))
        assert store.get_tables() == {"pets": {"rex": {"price": 1}}}
        listeners[0](None, ({"pets": UNDEFINED}, {}, 1))
        assert store.get_tables() == {}
    assert saved == []


async def test_what_a_listener_adds_to_loaded_content_is_saved() -> None:
    saved: list[Any] = []
    store = Store()
    store.add_cell_listener(
        "pets",
        None,
        "price",
        lambda s, t, r, c, new, old, get: s.set_cell(t, r, "vat", f"{new}%"),
        mutator=True,
    )
    async with create_custom_persister(
        store,
        lambda: PETS,
        lambda get_content, changes: saved.append(changes),
        lambda listener: None,
        lambda h: None,
    ) as persister:
        await persister.start_auto_persisting()
    assert saved == [({"pets": {"fido": {"vat": "5%"}}}, {}, 1)]


async def test_defaults_of_the_schema_are_saved_and_refused_cells_are_not_deleted() -> None:
    saved: list[Any] = []
    errors: list[Exception] = []
    store = Store()
    store.set_tables_schema(
        {
            "pets": {
                "species": {"type": "string"},
                "price": {"type": "string"},
                "sold": {"type": "boolean", "default": False},
            }
        }
    )
    async with create_custom_persister(
        store,
        lambda: PETS,
        lambda get_content, changes: saved.append((get_content(), changes)),
        lambda listener: None,
        lambda handle: None,
        on_error=errors.append,
    ) as persister:
        await persister.start_auto_persisting()
    assert store.get_row("pets", "fido") == {"species": "dog", "sold": False}
    assert len(errors) == 1
    (((tables, _), changes),) = saved
    assert changes == ({"pets": {"fido": {"sold": False}}}, {}, 1)
    assert tables["pets"]["fido"] == {"species": "dog", "price": 5, "sold": False}


async def test_what_a_function_raises_is_the_cause_of_a_storage_error() -> None:
    def broken(*args: object) -> None:
        raise ZeroDivisionError

    async with create_custom_persister(Store(), broken, broken, broken, broken) as persister:
        for verb in (persister.load, persister.save, persister.start_auto_load):
            with pytest.raises(StorageError, match="broken failed") as caught:
                await verb()
            assert isinstance(caught.value.__cause__, ZeroDivisionError)


async def test_what_others_wrote_and_cannot_be_loaded_yet_is_not_overwritten() -> None:
    place: list[Any] = [PETS]
    listeners: list[Callable[[], None]] = []
    failures: list[Exception] = []
    store = Store()

    def get_persisted() -> Any:
        if failures:
            raise failures.pop()
        return place[0]

    async def set_persisted(get_content: Callable[[], Any], _: object) -> None:
        place[0] = get_content()

    async with create_custom_persister(
        store,
        get_persisted,
        set_persisted,
        listeners.append,
        lambda handle: listeners.clear(),
        on_error=lambda error: None,
    ) as persister:
        persister.first_retry_seconds = 0.005
        await persister.start_auto_persisting()
        place[0] = MORE
        failures.extend([ConnectionError("away")] * 3)
        listeners[0]()
        store.set_cell("pets", "fido", "price", 6)
        await until(lambda: persister.is_at_rest() and not failures)
        expected = Store().set_content(MORE).set_cell("pets", "fido", "price", 6).get_content()
        assert place[0] == store.get_content() == expected
