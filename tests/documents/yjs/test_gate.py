from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pycrdt import Map, Text

from support.ywriter import item, section, update
from weft.documents.yjs import YDocument, create_doc, gate as gate_module
from weft.errors import RemoteProtocolError

if TYPE_CHECKING:
    from weft.documents.yjs.update_log import CheckedUpdate

LARGE = "x" * 2**20


def child_of(client: int, clock: int) -> bytes:
    """An update that writes at a key of the type at that clock."""
    head = b"\x28\x00" + bytes([client]) + bytes([clock])
    return update(section(9, 0, head + b"\x01k\x01\x7e"))


@pytest.mark.parametrize("size", [1, 2**20])
def test_what_was_written_here_may_be_referred_to(size: int) -> None:
    """Also when it was too much to be kept until somebody refers to it."""
    doc = create_doc(client_id=5)
    document = YDocument.of(doc)
    shared = doc.get("m", type=Map)
    shared["text"] = "x" * size
    shared["map"] = Map({})
    assert not document.apply(child_of(5, 1), origin="peer")
    assert shared["map"].to_py() == {"k": None}
    with pytest.raises(RemoteProtocolError, match="parent 5:0 is no type"):
        document.apply(update(section(8, 0, b"\x28\x00\x05\x00\x01k\x01\x7e")), origin="peer")


def test_what_a_document_had_before_may_be_referred_to() -> None:
    doc = create_doc(client_id=5)
    doc.get("m", type=Map)["map"] = Map({})
    document = YDocument.of(doc)
    assert not document.apply(child_of(5, 0), origin="peer")
    assert doc.get("m", type=Map)["map"].to_py() == {"k": None}


def test_where_the_binding_encodes_other_clocks_than_it_has_nothing_waits_for_ever() -> None:
    author = create_doc(client_id=5)
    text = author.get("t", type=Text)
    text += "a\U0001f534b"
    halved = update(deletes=b"\1\5\1\1\1")  # one half of the pair
    doc = create_doc()
    doc.apply_update(author.get_update())
    doc.apply_update(halved)
    document = YDocument.of(doc)
    before = author.get_state()
    text += "c"
    assert not document.apply(author.get_update(before), origin="peer")
    assert str(doc.get("t", type=Text)).endswith("bc")


def test_the_log_forgets_what_the_document_has_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate_module, "_MAX_GROWTH", 1000)
    author, doc = create_doc(), create_doc()
    document = YDocument.of(doc)
    shared = author.get("m", type=Map)
    for number in range(100):
        before = author.get_state()
        shared["k"] = f"{number:050}"
        document.apply(author.get_update(before), origin="peer")
        assert document._gate.log.size < 5000
    assert doc.get("m", type=Map)["k"] == f"{99:050}"


def test_what_waits_goes_on_waiting_when_the_log_is_made_anew() -> None:
    author, doc = create_doc(), create_doc()
    document = YDocument.of(doc)
    shared = author.get("m", type=Map)
    updates: list[bytes] = []
    author.observe(lambda event: updates.append(event.update))
    for number in range(3):
        shared[f"k{number}"] = number
    assert document.apply(updates[2], origin="peer")
    doc.get("own", type=Map)["large"] = LARGE * 2
    assert document.apply(updates[1], origin="peer")
    document._gate.mistrust()
    assert not document.apply(updates[0], origin="peer")
    assert doc.get("m", type=Map).to_py() == {"k0": 0, "k1": 1, "k2": 2}


def test_what_was_applied_past_the_document_is_found_out_when_something_waits_for_it() -> None:
    """The binding tells of no structs that had waited in it: they are missing in what it says was written."""
    author, doc = create_doc(client_id=5), create_doc()
    document = YDocument.of(doc)
    shared = author.get("m", type=Map)
    updates: list[bytes] = []
    author.observe(lambda event: updates.append(event.update))
    for number in range(4):
        shared["k"] = number
    for late in (updates[1], updates[2], updates[0]):
        doc.apply_update(late)
    assert not document.apply(updates[3], origin="peer")
    assert doc.get("m", type=Map)["k"] == 3


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What the binding is given."""
    parts: list[bytes] = []
    integrate = YDocument._integrate

    def note(self: YDocument, part: bytes, spans: CheckedUpdate | None = None) -> bool:
        parts.append(part)
        return integrate(self, part, spans)

    monkeypatch.setattr(YDocument, "_integrate", note)
    return parts


FIRST, GAP = section(5, 0, item(4, b"\x01a", root="t")), section(6, 0, item(4, b"\x01a", root="u"))
WAITS = section(6, 1, b"\x84\x06\x00\x01a")


def test_a_letter_typed_behind_what_is_withheld_is_withheld_too(given: list[bytes]) -> None:
    """Given to the binding alone, it would be missing from what is released together, and may be lost."""
    document = YDocument.of(doc := create_doc())
    for waits in (
        update(WAITS, FIRST),
        update(section(5, 1, b"\x84\x05\x00\x01b")),
        update(section(9, 0, item(4, b"\x01c", root="v")), deletes=b"\1\5\1\0\1"),
    ):
        assert document.apply(waits, origin="peer")
    assert not given
    assert not document.apply(update(GAP), origin="peer")
    assert len(given) == 1
    assert document.state() == {5: 2, 6: 2, 9: 1}
    assert str(doc.get("t", type=Text)) == "b"


def test_so_is_a_part_of_what_waited_that_builds_on_it(given: list[bytes]) -> None:
    document = YDocument.of(doc := create_doc())
    # The second waits for client 7, and then for what it deletes of client 8.
    for waits in (update(WAITS, FIRST), update(section(5, 1, b"\x84\x07\x00\x01b"), deletes=b"\1\x08\1\0\1")):
        assert document.apply(waits, origin="peer")
    assert document.apply(update(section(7, 0, item(4, b"\x01v", root="v"))), origin="peer")
    assert not given
    assert document.apply(update(GAP), origin="peer")
    assert not document.apply(update(section(8, 0, item(4, b"\x01w", root="w"))), origin="peer")
    assert len(given) == 1
    assert document.state() == {5: 2, 6: 2, 7: 1, 8: 1}
    assert str(doc.get("v", type=Text)) == "vb"
