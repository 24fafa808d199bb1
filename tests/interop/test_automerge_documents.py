"""What JavaScript writes into a document beside a Store's cells: left alone, reported, no reason to stop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from support.amdocs import project
from support.amlinks import JsLink
from weft import Store
from weft._codecs.automerge.sync_message import make_sync_message
from weft.documents.automerge.document import AutomergeDocument
from weft.errors import MirrorError
from weft.mirrors.automerge import AutomergeMirror

if TYPE_CHECKING:
    from support.node import SyncJsPeer

pytestmark = pytest.mark.interop

ROW = ["tinybase", "t", "t", "r"]
FOREIGN = {"counter": 3, "date": 0}
PUTS = {**FOREIGN, "immutable": "fixed", "uint": 1, "int": -1, "float": 2}


@pytest.mark.parametrize("loaded", [True, False])
def test_foreign_values_are_reported_and_the_rest_is_read(sync_js: SyncJsPeer, loaded: bool) -> None:
    """The binding panics at a counter, and at the map that it stands in."""
    name = f"foreign {loaded}"
    sync_js("am.create", name=name)
    sync_js(
        "am.edit", name=name, edits=[["set", ["tinybase"], {"t": {"t": {"r": {"c": "text"}}}, "v": {"v": 1}}]]
    )
    store, errors = Store(), list[Exception]()
    if loaded:
        document = AutomergeDocument(sync_js("am.save", name=name))
        link = JsLink(sync_js, name, document)
        mirror = AutomergeMirror(store, document, on_error=errors.append)
        sync_js(
            "am.edit", name=name, edits=[["put", [*ROW, kind], kind, value] for kind, value in PUTS.items()]
        )
        link.settle()
        mirror.start()
    else:
        document = AutomergeDocument()
        link = JsLink(sync_js, name, document)
        mirror = AutomergeMirror(store, document, on_error=errors.append).start()
        link.settle()
        sync_js(
            "am.edit", name=name, edits=[["put", [*ROW, kind], kind, value] for kind, value in PUTS.items()]
        )
        link.settle()
    assert store.get_content() == (
        {"t": {"r": {"c": "text", "immutable": "fixed", "uint": 1, "int": -1, "float": 2}}},
        {"v": 1},
    )
    assert all(isinstance(error, MirrorError) for error in errors)
    assert {name for name in FOREIGN if any(f"'{name}'" in str(error) for error in errors)} == FOREIGN.keys()
    sync_js("am.edit", name=name, edits=[["increment", [*ROW, "counter"], 2]])
    link.settle()
    store.set_cell("t", "r", "c", "ours")
    store.del_cell("t", "r", "uint")
    link.settle()
    content = sync_js("am.content", name=name, path=ROW)
    assert content["counter"] == {"$type": "A.Counter", "text": "5"}
    assert content["c"] == "ours"
    assert "uint" not in content
    store.set_cell("t", "r", "counter", 7)  # a write of our own is one
    link.settle()
    assert sync_js("am.content", name=name, path=[*ROW, "counter"]) == 7
    assert store.get_cell("t", "r", "counter") == 7
    mirror.stop()


def test_a_text_that_javascript_edits_in_place_is_followed(sync_js: SyncJsPeer) -> None:
    sync_js("am.create", name="typing")
    store, document = Store(), AutomergeDocument()
    link = JsLink(sync_js, "typing", document)
    with AutomergeMirror(store, document):
        store.set_cell("t", "r", "c", "helo")
        link.settle()
        sync_js("am.edit", name="typing", edits=[["splice", [*ROW, "c"], 3, 0, "l"]])
        sync_js("am.edit", name="typing", edits=[["splice", [*ROW, "c"], 5, 0, "!"]])
        link.settle()
        assert store.get_cell("t", "r", "c") == "hello!"


@pytest.mark.parametrize("way", ["changes", "message"])
def test_changes_made_by_hand_are_taken_and_saved_the_same_in_javascript(
    sync_js: SyncJsPeer, way: str
) -> None:
    """Two large writes, which need no transaction of the binding, and messages made without it."""
    name = f"by hand {way}"
    sync_js("am.create", name=name)
    store, document = Store(), AutomergeDocument()
    cells = {
        "n": 1,
        "z": -0.0,
        "e": 2**53 - 1,
        "l": -(2**53) + 1,
        "f": 2.0**70,
        "t": "h\u00e9\U0001f600",
        "0": "",
    }
    rows: dict[str, Any] = {f"\u00e9{number}": {**cells, "none": None, "b": True} for number in range(20)}
    with AutomergeMirror(store, document):
        for table in ("a", "b"):
            store.set_table(table, rows)
        store.set_cell("a", "\u00e90", "t", "after")
    changes = document.changes_since(())
    if way == "changes":
        sync_js("am.apply", name=name, changes=changes)
    else:
        sync_js("am.sync.receive", name=name, link="", message=make_sync_message(document.heads, changes))
    again = AutomergeDocument(sync_js("am.save", name=name))
    assert set(document.heads) <= set(again.heads)
    assert project(again) == project(document) == tuple(store.get_content())
    assert again.includes(document.heads)
    row = sync_js("am.content", name=name, path=["tinybase", "t", "b", "\u00e97"])
    assert {key: row[key] for key in "nt0"} == {"n": 1, "t": "h\u00e9\U0001f600", "0": ""}


@pytest.mark.parametrize("actor", [b"\0" * 15 + b"\1", b"\xff" * 16])
def test_a_counter_at_the_place_of_a_lost_or_a_winning_cell_stops_no_healing(
    sync_js: SyncJsPeer, actor: bytes
) -> None:
    """Both sides make the same row at once: theirs wins, or ours."""
    name = f"counting {actor[0]}"
    errors: list[Exception] = []
    store, document = Store(), AutomergeDocument(actor=b"\x80" * 16)
    with AutomergeMirror(store, document, on_error=errors.append):
        store.set_cell("t", "other", "c", 1)
        sync_js("am.create", name=name, actor=actor, data=document.save())
        link = JsLink(sync_js, name, document)
        link.settle()
        sync_js("am.edit", name=name, edits=[["set", ROW, {"theirs": 1}], ["put", [*ROW, "n"], "counter", 3]])
        store.set_row("t", "r", {"ours": 2, "n": 5})
        link.settle()
        row = store.get_row("t", "r")
        assert (row["ours"], row["theirs"]) == (2, 1)
        content = sync_js("am.content", name=name, path=ROW)
        assert (content["ours"], content["theirs"]) == (2, 1)
        wins = actor > document.actor
        assert content["n"] == ({"$type": "A.Counter", "text": "3"} if wins else 5)
        assert row.get("n") == (None if wins else 5)
        assert [type(error) for error in errors] == [MirrorError] * wins
        assert all("'n'" in str(error) for error in errors)
