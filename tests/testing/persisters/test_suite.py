"""The suite of all persisters finds persisters that do not keep the promises."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from weft.persisters import MappingPersister
from weft.store import Store
from weft.testing.persisters import KillSuite, PersisterSuite, until

if TYPE_CHECKING:
    from collections.abc import Callable

    from weft.changes import Content
    from weft.persisters import Persister, StoredChanges, StoredContent


class Forgetful(MappingPersister):
    """Says that it has saved."""

    async def put(self, data: bytes, expected: object) -> object:
        return expected


class Greedy(MappingPersister):
    """Saves all that the Store has, and with it the end of all that it has not."""

    async def write(
        self, get_content: Callable[[], StoredContent], changes: StoredChanges | None = None
    ) -> None:
        await super().write(get_content, None)


class Deaf(MappingPersister):
    """Hears of nothing."""

    async def watch(self, listener: Callable[..., None]) -> None:
        return None


class Credulous(MappingPersister):
    """Takes what is no content for an empty place."""

    async def fetch(self) -> tuple[bytes | None, object]:
        data, version = await super().fetch()
        return (None if data == b"[{" else data), version


class Suite(PersisterSuite):
    def __init__(self, kind: type[MappingPersister]) -> None:
        self.kind = kind
        self.mapping: dict[str, str] = {}

    def make(self, store: Store, **options: Any) -> Persister:
        return self.kind(store, self.mapping, poll_seconds=0.01, **options)

    async def read_raw(self) -> Content | None:
        text = self.mapping.get("store")
        return None if text is None else Store().set_json(text).get_content()

    async def write_raw(self, content: Content) -> None:
        self.mapping["store"] = Store().set_content(content).get_json()

    async def write_bad(self) -> None:
        self.mapping["store"] = "[{"


FOUND = [
    (Forgetful, "test_what_was_saved_comes_back"),
    (Forgetful, "test_close_saves_what_is_left_and_is_the_end"),
    (Greedy, "test_who_only_auto_saves_deletes_nothing_it_never_loaded"),
    (Deaf, "test_auto_load_hears_of_others"),
    (Credulous, "test_bad_stored_data_is_an_error_and_a_save_repairs_it"),
]


@pytest.mark.parametrize(("kind", "name"), FOUND, ids=lambda part: getattr(part, "__name__", part))
async def test_a_persister_that_breaks_a_promise_fails(
    kind: type[MappingPersister], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def soon(condition: Callable[[], bool], *, seconds: float = 0.2) -> None:
        await until(condition, seconds=0.2)

    monkeypatch.setattr("weft.testing.persisters.automatic.until", soon)
    # Whatever makes the test fail: an assertion of its own, pytest's of what was to raise, or a missing key.
    with pytest.raises((AssertionError, pytest.fail.Exception, KeyError, TypeError)):
        await getattr(Suite(kind), name)()
    await getattr(Suite(MappingPersister), name)()


class InMemory(Suite, KillSuite):
    """A place that goes with its process: nothing of it can be there after ``kill -9``."""

    kills = 3

    def __init__(self) -> None:
        super().__init__(MappingPersister)

    def child_source(self) -> str:
        return "from weft.persisters import MappingPersister as make\n"


async def test_a_place_that_is_not_durable_fails_when_its_process_is_killed() -> None:
    with pytest.raises(AssertionError):
        await InMemory().test_after_kill_9_one_whole_generation_is_there()
