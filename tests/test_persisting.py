"""What docs/persisting.md says: a Store that is mirrored and persisted by itself, and what comes of it."""

from __future__ import annotations

import json
import warnings
from typing import TYPE_CHECKING

import pytest

from support.serving import WeftServe
from weft import AutomergeMirror, Store, YjsMirror, YWebsocketProvider, create_doc
from weft.documents.automerge import AutomergeDocument
from weft.persisters import AutomergePersister, FilePersister, MappingPersister, YjsPersister
from weft.testing.persisters import until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from weft.mirrors.mirror import Mirror
    from weft.persisters import Persister

SENTENCE = r"^this Store is mirrored, and a persister .* Keep the document instead, .*: docs/persisting\.md$"
STARTS = ["start_auto_persisting", "load and start_auto_save", "start_auto_save and start_auto_load"]


MIRRORS: dict[str, Callable[[Store], Mirror]] = {
    "yjs": lambda store: YjsMirror(store, create_doc()),
    "automerge": lambda store: AutomergeMirror(store, AutomergeDocument()),
}


@pytest.fixture(params=MIRRORS.values(), ids=list(MIRRORS))
def mirrored(request: pytest.FixtureRequest) -> Callable[[Store], Mirror]:
    made: Callable[[Store], Mirror] = request.param
    return made


async def begin(persister: Persister, start: str) -> None:
    for name in start.split(" and "):
        await getattr(persister, name)()


@pytest.mark.parametrize("start", STARTS)
async def test_persisting_beside_a_mirror_is_warned_of_once(
    mirrored: Callable[[Store], Mirror], start: str
) -> None:
    store = Store()
    mirror = mirrored(store)
    async with MappingPersister(store) as persister:
        with mirror:
            with pytest.warns(UserWarning, match=SENTENCE) as caught:
                await begin(persister, start)
            assert len(caught) == 1
            await persister.stop_auto_persisting()
            await begin(persister, start)  # said once
        with mirror:
            assert persister.is_auto_saving()


async def test_a_mirror_beside_persisting_is_warned_of_as_well(mirrored: Callable[[Store], Mirror]) -> None:
    store = Store()
    async with MappingPersister(store) as persister, persister.auto_persisting():
        with pytest.warns(UserWarning, match=SENTENCE) as caught, mirrored(store):
            pass
        assert len(caught) == 1
        with mirrored(store):
            pass


async def test_a_warning_that_is_an_error_begins_nothing(mirrored: Callable[[Store], Mirror]) -> None:
    store = Store()
    mirror = mirrored(store)
    async with MappingPersister(store) as persister:
        with mirror:
            with pytest.raises(UserWarning, match=SENTENCE):
                await persister.start_auto_persisting()
            assert not persister.is_auto_saving()
            assert not persister.is_auto_loading()
    other = Store()
    async with MappingPersister(other) as persister, persister.auto_persisting():
        mirror = mirrored(other)
        with pytest.raises(UserWarning, match=SENTENCE):
            mirror.start()
        assert not mirror.running


async def test_importing_and_exporting_beside_a_mirror_is_fine(mirrored: Callable[[Store], Mirror]) -> None:
    store, mapping = Store().set_value("v", 1), dict[str, str]()
    async with MappingPersister(store, mapping) as persister:
        await persister.save()
        await persister.load()
        with mirrored(store):
            store.set_value("v", 2)
            await persister.save()
            await persister.load()
            await persister.start_auto_load()
        async with MappingPersister(store) as export:
            with mirrored(store):
                await export.start_auto_save()  # what is never loaded does no harm


async def test_one_after_the_other_is_fine(mirrored: Callable[[Store], Mirror]) -> None:
    store = Store()
    async with MappingPersister(store) as persister:
        async with persister.auto_persisting():
            store.set_value("v", 1)
        with mirrored(store):
            store.set_value("v", 2)
        await persister.start_auto_persisting()


async def test_a_persister_of_a_document_is_no_such_place() -> None:
    makers: list[Callable[[Store], Persister]] = [
        lambda store: YjsPersister(store, create_doc()),
        lambda store: AutomergePersister(store, AutomergeDocument()),
    ]
    for make in makers:
        store = Store()
        async with make(store) as persister:
            with YjsMirror(store, create_doc()):
                await persister.start_auto_persisting()
                store.set_value("v", 1)
                await until(persister.is_at_rest)


async def test_what_it_warns_of_really_happens(tmp_path: Path) -> None:
    """What was deleted offline comes back, what was edited is lost: with a real server, provider and file."""
    file = tmp_path / "cache.json"
    with WeftServe(tmp_path / "rooms.db") as server:
        for start in ("online", "offline", "online again"):
            store, doc = Store(), create_doc()
            async with FilePersister(store, file) as persister:
                await persister.start_auto_persisting()
                if start == "offline":
                    assert store.get_tables() == {"pets": {"fido": {"price": 1}, "felix": {"price": 1}}}
                    store.del_row("pets", "felix")
                    store.set_cell("pets", "fido", "price", 2)
                    continue
                async with YWebsocketProvider(doc, server.url, "farm") as provider:
                    await provider.wait_synced()
                    with pytest.warns(UserWarning, match=SENTENCE):
                        mirror = YjsMirror(store, doc).start()
                    if start == "online":
                        store.set_table("pets", {"fido": {"price": 1}, "felix": {"price": 1}})
                    await provider.flush()
                mirror.stop()
        assert store.get_tables() == {"pets": {"fido": {"price": 1}, "felix": {"price": 1}}}
    assert json.loads(file.read_text())[0] == store.get_tables()


async def test_keeping_the_document_loses_nothing_of_it(tmp_path: Path) -> None:
    """What the page says to do instead."""
    file = tmp_path / "farm.update"
    with WeftServe(tmp_path / "rooms.db") as server, warnings.catch_warnings(action="error"):
        for start in ("online", "offline", "online again"):
            store, doc = Store(), create_doc()
            if file.exists():
                doc.apply_update(file.read_bytes())
            with YjsMirror(store, doc):
                if start == "offline":
                    store.del_row("pets", "felix")
                    store.set_cell("pets", "fido", "price", 2)
                else:
                    async with YWebsocketProvider(doc, server.url, "farm") as provider:
                        await provider.wait_synced()
                        if start == "online":
                            store.set_table("pets", {"fido": {"price": 1}, "felix": {"price": 1}})
                        await provider.flush()
                file.write_bytes(doc.get_update())
        assert store.get_tables() == {"pets": {"fido": {"price": 2}}}
