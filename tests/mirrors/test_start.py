"""A start that raises, at whichever step, leaves nothing behind and may be tried again."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import pytest

from support.foreign import in_thread
from support.mirrors import KINDS, Kind, Peer, make_peer
from weft import Store, YjsMirror
from weft.documents.automerge import AutomergeDocument
from weft.documents.yjs import YDocument
from weft.mirrors import automerge, yjs
from weft.mirrors.mirror import Mirror
from weft.persisters import MappingPersister
from weft.store.replica import Replica

if TYPE_CHECKING:
    from collections.abc import Callable

    from weft.store import ListenerStats

# Every call of Mirror.start, in their order: the methods that are made to raise.
STEPS: dict[str, tuple[tuple[type[Any], str], ...]] = {
    "hold": ((Replica, "hold"),),
    "kept_by": ((Replica, "kept_by"),),
    "on_finish": ((Replica, "on_finish"),),
    "on_transaction_end": ((Replica, "on_transaction_end"),),
    "on_close": ((AutomergeDocument, "on_close"), (YDocument, "on_close")),
    "listen": ((AutomergeDocument, "subscribe"), (YDocument, "attach")),
    "observe": ((automerge.AutomergeMirror, "_observe"), (yjs.YjsMirror, "_observe")),
    "reconcile": ((Mirror, "_reconcile"),),
    "flush": ((Mirror, "flush"),),
}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    chosen: Kind = request.param
    return chosen


async def expect_nothing_begun(peer: Peer, listeners: ListenerStats) -> None:
    store, document = peer.store, peer.doc
    assert not peer.mirror.running
    assert store.get_listener_stats() == listeners
    if isinstance(document, AutomergeDocument):
        look: Callable[[], object] = document.check_owner
    else:
        look = YDocument.of(document).check_owner
    in_thread(look)  # both are free
    in_thread(lambda: store.set_value("thread", 1))
    before = peer.project()
    store.set_cell("t", "after", "c", 1)
    assert peer.project() == before, "nobody hears the Store"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        async with MappingPersister(store) as persister:
            await persister.start_auto_persisting()  # it would warn beside a mirror
    peer.mirror.start()
    store.set_cell("t", "again", "c", 1)
    assert peer.agrees()
    peer.mirror.stop()
    assert store.get_listener_stats() == listeners
    in_thread(look)
    in_thread(lambda: store.set_value("thread", 2))


@pytest.mark.parametrize("step", STEPS)
async def test_a_start_that_raises_undoes_what_it_began(
    kind: Kind, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    maker = make_peer(kind)
    maker.store.set_content(({"t": {"r": {"theirs": 1}}}, {"v": 1}))
    maker.mirror.stop()
    peer = Peer(kind, maker.doc, Store().set_cell("t", "r", "ours", 2), start=False)
    listeners = peer.store.get_listener_stats()

    def fail(*_args: object, **_options: object) -> None:
        raise RuntimeError("no")

    with monkeypatch.context() as patch:
        for owner, method in STEPS[step]:
            patch.setattr(owner, method, fail)
        with pytest.raises(RuntimeError, match=r"^no$"):
            peer.mirror.start()
    await expect_nothing_begun(peer, listeners)


async def test_an_error_handler_that_raises_at_the_start_leaves_nothing_behind() -> None:
    maker = make_peer("tinybase")
    maker.store.set_cell("t", "r", "c", "text")
    maker.mirror.stop()
    store = Store().set_tables_schema({"t": {"c": {"type": "number"}}})
    listeners = store.get_listener_stats()

    def fail(error: Exception) -> None:
        raise error

    mirror = YjsMirror(store, maker.doc, on_error=fail)
    with pytest.raises(Exception, match="the document holds"):
        mirror.start()
    assert not mirror.running
    assert store.get_listener_stats() == listeners
    in_thread(YDocument.of(maker.doc).check_owner)
    in_thread(lambda: store.set_value("v", 1))
    store.del_tables_schema()
    with mirror:
        assert store.get_content() == maker.project()


async def test_a_warning_that_is_an_error_leaves_both_sides_free() -> None:
    store, document = Store(), AutomergeDocument()
    mirror = automerge.AutomergeMirror(store, document)
    async with MappingPersister(store) as persister, persister.auto_persisting():
        with pytest.raises(UserWarning, match="this Store is mirrored, and a persister"):
            mirror.start()
        in_thread(document.check_owner)
    in_thread(lambda: store.set_value("v", 1))
