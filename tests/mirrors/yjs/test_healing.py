"""What a peer wrote into a container of its own that has lost is told from a replacement, and kept."""

from __future__ import annotations

import pytest
from pycrdt import Map

from support.ydocs import exchange, numbered_doc, project
from support.ypeers import HIGH, LOW, Peer
from weft.documents.yjs.binding import observe_transactions
from weft.documents.yjs.document import YDocument
from weft.mirrors.yjs.healing import containers, has_losers, was_concurrent


@pytest.mark.parametrize(("ours", "theirs"), [(LOW, HIGH), (HIGH, LOW)])
def test_rule_7_content_of_a_peer_that_does_not_heal_is_kept(ours: int, theirs: int) -> None:
    """The peer makes its containers as TinyBase does, and neither heals nor has a Store."""
    a, foreign = Peer(ours), numbered_doc(theirs)
    a.store.set_content(({"pets": {"fido": {"color": "brown"}}}, {"a": 1}))
    root = foreign.get("tinybase", type=Map)
    with foreign.transaction():
        root["t"] = Map({"pets": Map({"fido": Map({"price": 5}), "rex": Map({"price": 6})})})
        root["v"] = Map({"b": 2})
    exchange(a.doc, foreign)
    expected = (
        {"pets": {"fido": {"color": "brown", "price": 5}, "rex": {"price": 6}}},
        {"a": 1, "b": 2},
    )
    assert a.content == expected
    assert project(foreign) == expected


def test_rule_7_a_peer_that_goes_on_writing_into_its_lost_row_is_heard() -> None:
    a, foreign = Peer(HIGH), numbered_doc(LOW)
    a.store.set_cell("pets", "rex", "age", 1)
    exchange(a.doc, foreign)
    a.store.set_cell("pets", "fido", "color", "brown")
    sent: list[bytes] = []
    foreign.observe(lambda event: sent.append(event.update))
    pets = foreign.get("tinybase", type=Map)["t"]["pets"]
    pets["fido"] = Map({"price": 5})
    pets["fido"]["price"] = 6
    pets["fido"]["legs"] = 4
    for update in sent:
        YDocument.of(a.doc).apply(update, origin="test")
    assert a.store.get_row("pets", "fido") == {"color": "brown", "price": 5, "legs": 4} or a.store.get_row(
        "pets", "fido"
    ) == {"color": "brown", "price": 6, "legs": 4}
    exchange(a.doc, foreign)
    assert project(foreign) == a.content


def replaced(key: str, *, knowing: bool) -> tuple[bytes, bytes]:
    """Update and deletions of the transaction in which a map replaces one that its writer knew, or not."""
    doc, other = numbered_doc(LOW), numbered_doc(HIGH)
    doc.get("m", type=Map)[key] = Map({"a": 1})
    if knowing:
        other.apply_update(doc.get_update())
    other.get("m", type=Map)[key] = Map({"b": 2})
    events: list[tuple[bytes, bytes]] = []
    end = observe_transactions(
        doc, lambda event: events.append((bytes(event.update), bytes(event.delete_set)))
    )
    doc.apply_update(other.get_update(doc.get_state()))
    end()
    return events[0]


@pytest.mark.parametrize("knowing", [False, True])
def test_a_map_made_by_who_knew_the_other_replaces_it_and_was_not_concurrent(knowing: bool) -> None:
    assert was_concurrent(*replaced("k", knowing=knowing), "k") is not knowing


def test_a_container_that_lost_when_it_came_is_noticed() -> None:
    doc, other = numbered_doc(HIGH), numbered_doc(LOW)
    for each in (doc, other):
        each.get("m", type=Map)["k"] = Map({"a": 1})
    events: list[bool] = []
    end = observe_transactions(
        doc, lambda event: events.append(has_losers(event.delete_set, event.before_state))
    )
    doc.apply_update(other.get_update())
    del doc.get("m", type=Map)["k"]
    end()
    assert events == [True, False]


def test_living_containers_are_found_with_their_paths() -> None:
    doc = numbered_doc(LOW)
    doc.get("m", type=Map)["t"] = Map({"pets": Map({"fido": Map()})})
    doc.get("other", type=Map)["t"] = Map()
    found = containers(doc.get_update(), "m")
    assert sorted(found.values()) == [("t",), ("t", "pets"), ("t", "pets", "fido")]
