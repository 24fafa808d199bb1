"""The ground of places that keep one text, on a place in memory that does what each test tells it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from weft.errors import StorageError
from weft.persisters import ANY, ConflictError, TextPersister
from weft.persisters._text.json_text import parse_content, render_content
from weft.store import Store
from weft.testing.persisters import MORE, PETS, until

if TYPE_CHECKING:
    from collections.abc import Callable

    from weft.changes import Content


class FakeText(TextPersister):
    """One text, with a number for its version."""

    def __init__(self, store: Store, **options: Any) -> None:
        super().__init__(store, poll_seconds=None, **options)
        self.text: bytes | None = None
        self.number = 0
        self.expected: list[object] = []
        self.before_put: Callable[[], None] = lambda: None

    def write_there(self, content: Content) -> None:
        self.text, self.number = render_content(content), self.number + 1  # type: ignore[arg-type]

    @property
    def there(self) -> Any:
        assert self.text is not None
        return parse_content(self.text)

    async def fetch(self) -> tuple[bytes | None, object]:
        return self.text, self.number

    async def put(self, data: bytes, expected: object) -> object:
        self.before_put()
        self.expected.append(expected)
        if expected is not ANY and expected != self.number:
            raise ConflictError("another version")
        self.text, self.number = data, self.number + 1
        return self.number


async def test_an_explicit_save_replaces_whatever_is_there() -> None:
    async with FakeText(Store().set_content(PETS)) as persister:
        persister.write_there(MORE)
        await persister.save()
        assert persister.expected == [ANY]
        assert persister.there == PETS


async def test_an_automatic_save_replaces_what_it_knows_without_reading_again() -> None:
    store = Store()
    async with FakeText(store) as persister:
        persister.write_there(PETS)
        await persister.start_auto_persisting()
        store.set_value("open", "no")
        await until(persister.is_at_rest)
        store.set_value("open", "yes")
        await until(persister.is_at_rest)
        assert persister.expected == [1, 2]


@pytest.mark.parametrize("when", ["before the save", "during the save"])
async def test_where_another_was_faster_the_edit_is_merged_into_the_others(when: str) -> None:
    store = Store()
    async with FakeText(store) as persister:
        persister.write_there(PETS)
        await persister.load()
        await persister.start_auto_save()

        def another() -> None:
            persister.before_put = lambda: None
            persister.write_there(MORE)

        if when == "before the save":
            another()
        else:
            persister.before_put = another
        store.set_cell("pets", "fido", "price", 6)
        await until(persister.is_at_rest)
        fido = {**PETS[0]["pets"]["fido"], "price": 6}
        assert persister.there == ({"pets": {**MORE[0]["pets"], "fido": fido}}, MORE[1])
        assert store.get_row_ids("pets") == ["fido"]  # it saves and does not load


async def test_who_is_never_fast_enough_gives_up_with_an_error_and_tries_later() -> None:
    store, errors = Store(), list[Exception]()
    async with FakeText(store, on_error=errors.append) as persister:
        persister.first_retry_seconds = 0.001
        await persister.start_auto_persisting(PETS)
        persister.expected.clear()
        persister.before_put = lambda: persister.write_there(MORE)
        store.set_value("open", "changed")
        await until(lambda: bool(errors))
        assert "100 times in a row" in str(errors[0])
        assert len(persister.expected) >= 100
        persister.before_put = lambda: None
        await until(persister.is_at_rest)
        assert persister.there[1] == {"open": "changed"}


async def test_after_a_write_that_was_cut_off_the_place_is_read_before_it_is_written() -> None:
    store, errors = Store(), list[Exception]()
    async with FakeText(store, on_error=errors.append) as persister:
        persister.first_retry_seconds = 0.001
        await persister.start_auto_persisting(PETS)

        def cut_off() -> None:
            persister.before_put = lambda: None
            # It arrived, and the answer did not; and then another wrote.
            persister.write_there(MORE)
            raise StorageError("no answer")

        persister.before_put = cut_off
        store.set_cell("pets", "fido", "price", 6)
        await until(persister.is_at_rest)
        assert [str(error) for error in errors] == ["no answer"]
        assert persister.there[0]["pets"].keys() == {"fido", "felix"}
        assert persister.there[0]["pets"]["fido"]["price"] == 6


async def test_an_empty_text_is_nothing_yet() -> None:
    store = Store()
    async with FakeText(store) as persister:
        persister.text = b""
        await persister.start_auto_persisting(PETS)
        await until(persister.is_at_rest)
        assert store.get_content() == persister.there == PETS


async def test_a_transaction_that_begins_while_an_empty_place_is_read_is_saved_whole_or_not_at_all() -> None:
    store = Store().set_content(PETS)

    class Interrupted(FakeText):
        async def fetch(self) -> tuple[bytes | None, object]:
            if not self.text:
                store.start_transaction().set_value("open", "half")
            return await super().fetch()

    async with Interrupted(store) as persister:
        start = asyncio.create_task(persister.start_auto_save())
        await until(lambda: store.get_value("open") == "half")
        store.finish_transaction(lambda _: True)
        await start
        assert persister.there == store.get_content() == PETS
