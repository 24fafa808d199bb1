"""Text cells of a Store in a Yjs document, in both layouts."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest
from pycrdt import Doc, Map, Text

from support.ypeers import HIGH, LAYOUTS, LOW, Layout, Peer
from weft.deltas import apply, text_of, to_utf16, utf16_length
from weft.documents.yjs.document import YDocument

if TYPE_CHECKING:
    from weft.deltas import Delta

SCHEMA: Any = {"notes": {"body": {"type": "text"}, "title": {"type": "string"}}}
KEY = ("notes", "n1", "body")
WORDS = ["a", "hello ", "é", "e\u0301", "🙂", "👩‍👩‍👧", "🇩🇪", "שלום", "مرحبا", "\n"]


class TextPeer(Peer):
    """A peer whose notes have bodies that are texts."""

    def __init__(self, client_id: int, layout: Layout = "tinybase", doc: Doc[Any] | None = None) -> None:
        super().__init__(client_id, layout=layout, doc=doc)
        self.store.set_tables_schema(SCHEMA)
        self.body = self.store.text(*KEY)
        self.heard: list[tuple[Delta, bool]] = []
        self.body.add_listener(lambda _, delta, is_local: self.heard.append((delta, is_local)))

    def apply(self, update: bytes) -> None:
        YDocument.of(self.doc).apply(update, origin=None)

    def in_document(self) -> Any:
        """The text in the document, read round the mirror."""
        if self.layout == "flat":
            return self.doc.get("tinybase", type=Map)["\x1f".join(KEY)]
        found: Any = self.doc.get("tinybase", type=Map)["t"]
        for key in KEY:
            found = found[key]
        return found


def sync(*peers: Peer) -> None:
    for _ in range(2):  # what was healed is sent, too
        for one in peers:
            for other in peers:
                if one is not other:
                    YDocument.of(other.doc).apply(one.doc.get_update(other.doc.get_state()), origin=None)


@pytest.fixture(params=LAYOUTS)
def pair(request: pytest.FixtureRequest) -> tuple[TextPeer, TextPeer]:
    return TextPeer(LOW, request.param), TextPeer(HIGH, request.param)


def test_a_text_is_edited_in_place(pair: tuple[TextPeer, TextPeer]) -> None:
    one, two = pair
    one.body.append("hello")
    sync(one, two)
    assert isinstance(one.in_document(), Text)
    cursor = two.body.cursor(5)
    one.body.insert(0, "🙂 ")
    two.body.append(" wörld")
    sync(one, two)
    assert str(one.body) == str(two.body) == str(one.in_document()) == "🙂 hello wörld"
    assert cursor.offset == utf16_length(str(one.body))
    assert two.heard == [
        ([{"insert": "hello"}], False),
        ([{"retain": 5}, {"insert": " wörld"}], True),
        ([{"insert": "🙂 "}], False),
    ]
    one.store.set_cell(*KEY, "🙃 hello world")
    two.body.append("!")
    sync(one, two)
    assert str(one.body) == str(two.body) == "🙃 hello world!"
    assert (one.errors, two.errors) == ([], [])


def test_formats_and_embeds_are_kept(pair: tuple[TextPeer, TextPeer]) -> None:
    one, two = pair
    one.body.insert(0, "Title", {"header": 1}).insert(5, "\nbody", {})
    sync(one, two)
    two.body.format(6, 4, {"bold": True}).insert_embed(10, {"image": "x.png", "width": 12}, {"alt": "X"})
    one.body.append(" text")
    sync(one, two)
    assert one.body.delta() == two.body.delta()
    assert text_of(one.body.delta()) == str(one.body) == str(two.body)
    assert {"insert": "Title", "attributes": {"header": 1}} in one.body.delta()
    assert {"insert": {"image": "x.png", "width": 12}, "attributes": {"alt": "X"}} in one.body.delta()
    two.body.insert(8, "--")
    one.body.format(6, 2, {"bold": None})
    two.store.set_cell(*KEY, str(two.body).replace("--", "-+-"))
    sync(one, two)
    bold = "".join(op["insert"] for op in two.body.delta() if op.get("attributes") == {"bold": True})
    assert "-+-" in bold
    assert one.body.delta() == two.body.delta()
    assert one.heard[-1][1] is False


def test_a_position_is_the_same_place_at_every_peer(pair: tuple[TextPeer, TextPeer]) -> None:
    one, two = pair
    one.body.append("a🙂b")
    sync(one, two)
    for offset, assoc in ((0, 0), (0, -1), (1, 0), (3, -1), (4, 0), (4, -1)):
        position = one.body.cursor(offset, assoc).to_json()
        there = two.body.cursor_from_json(position)
        assert there is not None, position
        assert (there.offset, there.assoc) == (offset, assoc)
    assert two.body.cursor_from_json({"item": {"client": 1, "clock": 1}, "assoc": 0}) is None
    assert two.store.text("notes", "none", "body").cursor(0).to_json() is None


def test_a_plain_string_becomes_a_text_by_the_first_edit() -> None:
    one = Peer(LOW)
    one.store.set_row("notes", "n1", {"body": "plain 🙂", "title": "T"})
    two = TextPeer(HIGH, doc=one.doc)
    assert str(two.body) == "plain 🙂"
    assert not isinstance(two.in_document(), Text)
    two.body.delete(0, 6)
    assert str(two.in_document()) == str(two.body) == "🙂"
    # where none is declared, a text is foreign, and stays
    assert one.store.get_row("notes", "n1") == {"title": "T"}
    assert one.errors
    one.store.set_cell("notes", "n1", "title", "U")
    assert str(two.in_document()) == "🙂"
    two.store.del_cell(*KEY)
    assert "body" not in one.doc.get("tinybase", type=Map)["t"]["notes"]["n1"]


def test_both_making_a_text_at_once_lose_no_letter(pair: tuple[TextPeer, TextPeer]) -> None:
    one, two = pair
    one.body.append("one")
    two.body.append("two")
    sync(one, two)
    assert str(one.body) == str(two.body) == "onetwo"
    assert str(one.in_document()) == str(two.in_document()) == "onetwo"
    two.body.append("!")
    sync(one, two)
    assert str(one.body) == "onetwo!"


def test_replacing_a_text_on_purpose_is_not_undone(pair: tuple[TextPeer, TextPeer]) -> None:
    one, two = pair
    one.body.append("old")
    sync(one, two)
    two.store.del_cell(*KEY)
    two.body.append("new")
    sync(one, two)
    assert str(one.body) == str(two.body) == "new"


def test_edits_that_wait_are_merged_and_not_overwritten(pair: tuple[TextPeer, TextPeer]) -> None:
    one, two = pair
    one.body.append("hello")
    sync(one, two)
    two.body.append(" world")
    update = two.doc.get_update(one.doc.get_state())
    with one.store.transaction():  # a message comes while a transaction is open
        one.body.insert(0, "> ")
        one.apply(update)
        one.body.insert(0, ">")
    assert str(one.body) == str(one.in_document()) == ">> hello world"

    def exclaim(*_: object) -> None:
        if "!" not in str(two.body):
            two.body.append("!")

    two.store.add_cell_listener(*KEY, exclaim, mutator=True)
    sync(one, two)
    assert str(one.body) == str(two.body) == ">> hello world!"
    # what is edited inside an observer of the document waits for its end
    observing = two.in_document().observe(lambda _: None if "#" in str(two.body) else two.body.insert(0, "#"))
    one.body.delete(0, 3)
    sync(one, two)
    assert str(one.body) == str(two.body) == str(two.in_document())
    assert str(one.body) == "#hello world!"
    del observing


def test_random_edits_of_three_peers_and_partitions(pair: tuple[TextPeer, TextPeer]) -> None:
    seed = random.randrange(1 << 32)
    rng = random.Random(seed)
    peers = [*pair, TextPeer(LOW + 7, pair[0].layout)]
    peers[0].body.append("start")
    sync(*peers)
    strings = {peer: str(peer.body) for peer in peers}
    for peer in peers:
        peer.heard.clear()
    for step in range(250):
        peer = rng.choice(peers)
        string = str(peer.body)
        at, end = sorted(rng.choices(range(len(string) + 1), k=2))
        end = min(end, at + 4)
        offset, length = to_utf16(string, at), utf16_length(string[at:end])
        match rng.randrange(8):
            case 0:
                peer.body.delete(offset, length)
            case 1:
                peer.body.format(offset, length, {"bold": rng.choice([True, None])})
            case 2:
                peer.store.set_cell(*KEY, string[:at] + rng.choice(WORDS) + string[end:])
            case 3:
                peer.body.insert_embed(offset, {"image": "x"})
            case 4:
                sync(*rng.sample(peers, 2))
            case _:
                peer.body.insert(offset, rng.choice(WORDS))
        said = f"seed {seed}, step {step}"
        for each in peers:
            for delta, _ in each.heard:
                strings[each] = apply(strings[each], delta)
            each.heard.clear()
            assert strings[each] == str(each.body), said
            assert text_of(each.body.delta()) == str(each.body), said
    sync(*peers)
    assert len({str(peer.body) for peer in peers}) == 1, f"seed {seed}"
    assert peers[0].body.delta() == peers[1].body.delta() == peers[2].body.delta(), f"seed {seed}"
    assert [peer.errors for peer in peers] == [[], [], []]
