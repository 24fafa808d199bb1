"""What is attached to others is neither copied nor pickled; a Store is, and its copy is free."""

from __future__ import annotations

import copy
import pickle
from typing import TYPE_CHECKING, Any

import pytest

from support.foreign import in_thread
from weft import (
    AutomergeDocument,
    AutomergeMirror,
    AutomergeWebsocketProvider,
    Checkpoints,
    Store,
    YjsMirror,
    YWebsocketProvider,
    create_doc,
)
from weft.documents.yjs import YDocument
from weft.errors import WrongThreadError
from weft.persisters import MappingPersister
from weft.protocols.awareness import Awareness
from weft.store import create_middleware, to_cell

if TYPE_CHECKING:
    from collections.abc import Callable

COPIES: dict[str, Callable[[Any], Any]] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda thing: pickle.loads(pickle.dumps(thing)),
}


@pytest.fixture(params=COPIES.values(), ids=list(COPIES))
def copied(request: pytest.FixtureRequest) -> Callable[[Any], Any]:
    made: Callable[[Any], Any] = request.param
    return made


async def test_a_copy_of_an_attached_store_is_free(copied: Callable[[Any], Any]) -> None:
    store, document = Store(encode=to_cell), AutomergeDocument()
    place: dict[str, str] = {}
    heard: list[object] = []
    store.add_tables_listener(lambda *_: heard.append("listener"))
    checkpoints = Checkpoints(store)
    with AutomergeMirror(store, document), YjsMirror(store, doc := create_doc()):
        async with MappingPersister(store, place) as persister:
            await persister.start_auto_save()
            store.set_schema({"t": {"c": {"type": "number", "default": 1}}})
            store.set_row("t", "r", {"c": 2})
            await persister.save()
            heads, state, saved = document.heads, doc.get_state(), dict(place)
            undo = checkpoints.get_checkpoint_ids()
            heard.clear()
            twin = copied(store)
            assert type(twin) is Store
            assert twin.get_content() == store.get_content()
            assert twin.get_schema_json() == store.get_schema_json()
            in_thread(lambda: twin.set_row("t", "s", {}))  # it belongs to no thread
            with pytest.raises(WrongThreadError):
                in_thread(lambda: store.set_row("t", "s", {}))
            assert twin.get_row("t", "s") == {"c": 1}
            with pytest.raises(ValueError, match="the schema asks for 'number'"):
                twin.set_cell("t", "r", "c", "no")
            twin.del_table("t")
            await persister.save()
            assert (document.heads, doc.get_state(), place, heard) == (heads, state, saved, [])
            assert store.get_table("t") == {"r": {"c": 2}}
            assert checkpoints.get_checkpoint_ids() == undo
            with (
                AutomergeMirror(twin, AutomergeDocument()),  # it has an owner of its own
                pytest.raises(WrongThreadError),
            ):
                in_thread(lambda: twin.set_value("v", 1))
    in_thread(lambda: store.set_value("v", 1))  # the original is let go of as ever


@pytest.mark.parametrize("row_ids", ["auto", "counter", "unique"])
def test_a_copy_is_made_with_the_same_options(copied: Callable[[Any], Any], row_ids: Any) -> None:
    store = Store(on_invalid="ignore", row_ids=row_ids)
    store.add_row("t", {"c": 1})
    twin = copied(store)
    added = twin.set_value("v", object()).add_row("t", {"c": 2})
    assert len(added) == (16 if row_ids == "unique" else 1)
    assert twin.get_values() == {}
    assert len(twin.get_table("t")) == 2
    assert len(store.get_table("t")) == 1


async def test_what_is_attached_is_refused_with_a_sentence(copied: Callable[[Any], Any]) -> None:
    store, document, doc = Store(), AutomergeDocument(), create_doc()
    mirrors = [AutomergeMirror(store, document), YjsMirror(store, doc)]
    persister = MappingPersister(Store())
    await persister.save()
    attached: list[Any] = [
        persister,
        YWebsocketProvider(doc, "ws://localhost:1", "room"),
        AutomergeWebsocketProvider(document, "ws://localhost:1"),
    ]
    others = [document, YDocument.of(doc), Awareness(1), Checkpoints(store), create_middleware(store)]
    sentence = "is attached to others and cannot be copied or pickled: make another"
    for thing in (*mirrors, *attached, *others):
        with pytest.raises(TypeError, match=f"^an? {type(thing).__name__} {sentence}"):
            copied(thing)
    for mirror in mirrors:
        mirror.close()
    for each in attached:
        await each.close()
