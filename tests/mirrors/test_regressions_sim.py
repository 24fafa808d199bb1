"""What the simulation found in mirrors and the YDocument, each small; seeds: tests/testing/sim/seeds.txt."""

from __future__ import annotations

from typing import Any

from pycrdt import Doc, get_update

from support.ydocs import deliver, numbered_doc, project
from weft import Store
from weft.documents.yjs.document import YDocument
from weft.mirrors.yjs import YjsMirror
from weft.mirrors.yjs.containers import root_update

LOW, HIGH = 2**28, 2**30  # the higher client id wins at a key that two have set


def mirrored(client_id: int) -> tuple[Store, Doc[Any]]:
    store, doc = Store(), numbered_doc(client_id)
    YjsMirror(store, doc).start()
    return store, doc


def test_a_local_write_that_completes_a_waiting_update_brings_it_into_the_store() -> None:
    theirs, their_doc = mirrored(LOW)
    theirs.set_cell("u", "r", "c", "theirs")
    root = numbered_doc(LOW + 1)
    root.apply_update(root_update("tinybase"))
    rest = get_update(their_doc.get_update(), root.get_state())

    store, doc = mirrored(HIGH)
    assert YDocument.of(doc).apply(rest, origin="test"), "it waits for the root container"
    store.set_cell("mine", "r", "c", "mine")  # makes the root container
    assert tuple(store.get_content()) == project(doc)
    deliver(their_doc, doc)
    assert tuple(store.get_content()) == project(doc)
    assert store.get_cell("u", "r", "c") == "theirs"


def test_deletions_in_an_update_with_a_gap_do_not_empty_a_row_that_is_replaced_behind_the_gap() -> None:
    store, doc = mirrored(LOW)
    theirs, their_doc = mirrored(HIGH)
    store.set_cell("t", "r", "mine", 1)
    theirs.set_cell("t", "r", "theirs", 2)

    relay = numbered_doc(LOW + 1)  # a server: it has both, and the row of the higher client has won
    deliver(their_doc, relay)
    behind = relay.get_state()
    deliver(doc, relay)
    theirs.set_cell("t", "r", "more", 3)
    deliver(their_doc, relay)
    late = get_update(relay.get_update(), behind)  # "more", and that the other row is deleted

    assert YDocument.of(doc).apply(late, origin="test"), "what it builds on is missing"
    deliver(relay, doc)
    assert store.get_row("t", "r") == {"mine": 1, "theirs": 2, "more": 3}
    assert tuple(store.get_content()) == project(doc)


def test_a_row_that_lost_behind_a_gap_does_not_empty_the_row_it_beats() -> None:
    store, doc = mirrored(LOW)
    other, other_doc = mirrored(LOW + 2)  # beats ours, and loses against theirs
    theirs, their_doc = mirrored(HIGH)
    store.set_cell("t", "r", "mine", 1)
    other.set_cell("t", "r", "other", 2)
    theirs.set_cell("t", "r", "theirs", 3)

    relay = numbered_doc(LOW + 1)
    deliver(their_doc, relay)
    behind = relay.get_state()
    deliver(other_doc, relay)
    theirs.set_cell("t", "r", "more", 4)
    deliver(their_doc, relay)
    late = get_update(relay.get_update(), behind)  # "more", and the other row as one that is deleted already

    assert YDocument.of(doc).apply(late, origin="test"), "what it builds on is missing"
    deliver(relay, doc)
    assert store.get_row("t", "r") == {"mine": 1, "theirs": 3, "more": 4}
    assert tuple(store.get_content()) == project(doc)
