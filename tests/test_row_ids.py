"""Rows that peers add without knowing of each other are all kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from support.mirrors import KINDS, Kind, exchange, make_peer
from support.peers import JsTinyBasePeer, PythonPeer, exchange_all
from weft import Store
from weft.errors import InvalidIdError, InvalidIdTypeError
from weft.persisters import FilePersister, SqliteTablesPersister, TablesConfig
from weft.testing.persisters import until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.node import SyncJsPeer
    from weft.persisters import Persister


def owners(store: Store) -> list[str]:
    return sorted(str(row["owner"]) for row in store.get_table("pets").values())


@pytest.mark.parametrize("kind", KINDS)
def test_two_offline_peers_that_add_rows_end_with_all_rows(kind: Kind) -> None:
    ann, ben = make_peer(kind), make_peer(kind)
    for number in range(3):
        ann.store.add_row("pets", {"owner": f"ann {number}"})
        ben.store.add_row("pets", {"owner": f"ben {number}"})
    ann.store.del_row("pets", ann.store.get_row_ids("pets")[0])
    ann.store.add_row("pets", {"owner": "ann 3"})
    exchange(ann, ben)
    assert ann.content == ben.content
    assert owners(ann.store) == ["ann 1", "ann 2", "ann 3", "ben 0", "ben 1", "ben 2"]
    # In the order in which they were made: each peer's, and both together.
    made = [
        str(ann.store.get_cell("pets", row_id, "owner")) for row_id in sorted(ann.store.get_row_ids("pets"))
    ]
    assert [name for name in made if name.startswith("ann")] == ["ann 1", "ann 2", "ann 3"]
    assert [name for name in made if name.startswith("ben")] == ["ben 0", "ben 1", "ben 2"]


@pytest.mark.interop
def test_rows_of_a_javascript_peer_that_counts_are_not_met(sync_js: SyncJsPeer) -> None:
    javascript, python = JsTinyBasePeer(sync_js, "js", 0x9000_0002), PythonPeer(0x9000_0001)
    javascript.run([["addRow", "pets", {"owner": "js 0"}], ["addRow", "pets", {"owner": "js 1"}]])
    python.run([["addRow", "pets", {"owner": f"python {number}"}] for number in range(2)])
    exchange_all(javascript, python)
    javascript.run([["addRow", "pets", {"owner": "js 2"}]])
    python.run([["addRow", "pets", {"owner": "python 2"}]])
    exchange_all(javascript, python)
    assert javascript.store_content() == python.store_content()
    everybody = [f"{who} {number}" for who in ("js", "python") for number in range(3)]
    assert owners(python.store) == everybody
    assert {"0", "1", "2"} <= set(python.store.get_row_ids("pets"))


@pytest.mark.parametrize("place", ["file", "sqlite"])
async def test_processes_that_share_a_place_are_peers(tmp_path: Path, place: str) -> None:
    def make(store: Store) -> Persister:
        if place == "file":
            return FilePersister(store, tmp_path / "pets.json", poll_seconds=0.01)
        config = TablesConfig(load={"pets": "pets"}, save={"pets": "pets"}, auto_load_interval_seconds=0.01)
        return SqliteTablesPersister(store, tmp_path / "pets.db", config)

    ann, ben = Store(), Store()
    async with make(ann) as first, make(ben) as second:
        await first.start_auto_persisting()
        await second.start_auto_persisting()
        for number in range(3):
            ann.add_row("pets", {"owner": f"ann {number}"})
            ben.add_row("pets", {"owner": f"ben {number}"})
        everybody = [f"{who} {number}" for who in ("ann", "ben") for number in range(3)]
        await until(lambda: owners(ann) == owners(ben) == everybody)


def test_a_store_counts_while_it_is_alone_and_never_again_once_it_was_shared() -> None:
    peer = make_peer("flat")
    peer.mirror.stop()
    store = peer.store
    assert len(str(store.add_row("t", {"a": 1}))) == 16
    alone = Store()
    assert [alone.add_row("t", {"a": 1}) for _ in range(2)] == ["0", "1"]
    assert store.copy().add_row("t", {"a": 1}) == "0", "nobody has the copy"


def test_the_choice_can_be_made() -> None:
    unique = Store(row_ids="unique")
    ids = [unique.add_row("t", {"a": 1}) for _ in range(100)]
    assert ids == sorted(map(str, ids))
    assert {len(str(id_)) for id_ in ids} == {16}
    unique.del_row("t", str(ids[0])).del_table("t")
    assert unique.add_row("t", {"a": 1}) not in ids
    assert len(str(unique.copy().add_row("t", {"a": 1}))) == 16

    from weft import YjsMirror, create_doc

    counting = Store(row_ids="counter")
    with YjsMirror(counting, create_doc()):
        assert [counting.add_row("t", {"a": 1}) for _ in range(2)] == ["0", "1"]
    names = iter(["anna", "ben", "anna", "carl"])
    own = Store(row_ids=lambda: next(names))
    assert [own.add_row("t", {"a": 1}) for _ in range(3)] == ["anna", "ben", "carl"]


def test_what_cannot_be_the_choice_is_refused() -> None:
    wrong: Any = "uuid"
    with pytest.raises(
        ValueError, match='row_ids must be "auto", "counter", "unique" or a function, not \'uuid\''
    ):
        Store(row_ids=wrong)
    number: Callable[[], Any] = lambda: 5  # noqa: E731
    with pytest.raises(InvalidIdTypeError):
        Store(row_ids=number).add_row("t", {"a": 1})
    same = Store(row_ids=lambda: "x")
    same.add_row("t", {"a": 1})
    with pytest.raises(InvalidIdError, match="row_ids made ids that table 't' has, 1000 times in a row"):
        same.add_row("t", {"a": 1})
    assert same.get_table("t") == {"x": {"a": 1}}
