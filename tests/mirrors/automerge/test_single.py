"""One cell of a large document, written by a change that is made by hand."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest

from weft._codecs.automerge.change import decode_change
from weft.documents.automerge.document import AutomergeDocument
from weft.mirrors.automerge import AutomergeMirror, index
from weft.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def every_document_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "_LARGE", -1)


class _Peer:
    def __init__(self, data: bytes = b"") -> None:
        self.store, self.document = Store(), AutomergeDocument(data)
        self.mirror = AutomergeMirror(self.store, self.document).start()
        self.changes: list[bytes] = []
        self.document.subscribe(lambda event: self.changes.extend(event.changes))

    def take(self, other: _Peer) -> None:
        self.document.apply_changes(other.document.changes_since(()))

    def last_preds(self) -> int:
        (op,) = decode_change(self.changes[-1]).ops
        return len(op.preds)


@pytest.fixture
def peers() -> Iterator[list[_Peer]]:
    first = _Peer()
    first.store.set_tables({"t": {f"r{row}": {"a": 0, "b": True} for row in range(3)}})
    peers = [first, *(_Peer(first.document.save()) for _ in range(2))]
    yield peers
    for peer in peers:
        peer.mirror.stop()


def test_what_a_peer_wrote_at_the_same_time_is_overwritten_too(
    peers: list[_Peer], monkeypatch: pytest.MonkeyPatch
) -> None:
    used: list[object] = []
    put = AutomergeDocument.put

    def noted(document: AutomergeDocument, *args: Any, **options: Any) -> None:
        used.append(args[2])
        put(document, *args, **options)

    monkeypatch.setattr(AutomergeDocument, "put", noted)
    one, other, _ = peers
    one.store.set_cell("t", "r0", "a", 1)
    other.take(one)
    other.store.set_cell("t", "r0", "a", 2)
    assert (used, other.last_preds()) == ([1, 2], 1)
    one.store.set_cell("t", "r0", "a", 3)
    one.take(other)
    one.store.set_cell("t", "r0", "a", 4)  # both are known here, and by a transaction alone
    assert (used, one.last_preds()) == ([1, 2, 3], 2)
    one.store.set_cell("t", "r1", "b", None)  # the other row was not written meanwhile
    assert (used[3:], one.last_preds()) == ([None], 1)
    loaded = _Peer(one.document.save())
    loaded.store.set_cell("t", "r0", "a", 5)
    assert (used[4:], loaded.last_preds()) == ([5], 1)
    one.store.set_cell("t", "r0", "a", (1 << 53) - 1)  # JavaScript would read an integer as a BigInt
    loaded.take(one)
    conflicted = _Peer(loaded.document.save())
    conflicted.store.set_cell("t", "r0", "a", 6)
    assert conflicted.last_preds() == 2
    assert 6 not in used
    for peer in (loaded, conflicted):
        peer.mirror.stop()


def test_peers_that_write_at_random_agree(peers: list[_Peer]) -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    cells: list[bool | float | str | None] = [0, -1, 0.5, 1 << 40, True, None, "text"]
    for _ in range(150):
        peer, other = chance.sample(peers, 2)
        row, cell = chance.choice(["r0", "r1", "r2", "new"]), chance.choice("abc")
        if chance.random() < 0.2:
            peer.take(other)
        elif chance.random() < 0.2:
            peer.store.del_cell("t", row, cell, force=True)
        else:
            peer.store.set_cell("t", row, cell, chance.choice(cells))
    for _ in range(2):
        for peer in peers:
            for other in peers:
                peer.take(other)
    tables = peers[0].store.get_tables()
    again = _Peer(peers[0].document.save())
    assert [peer.store.get_tables() for peer in (*peers, again)] == [tables] * 4
    assert len({peer.document.heads for peer in peers}) == 1
    again.mirror.stop()
