"""A Y.XmlFragment as one text: edits of it, what becomes of its blocks, and events as deltas."""

from __future__ import annotations

import random
import re
from typing import TYPE_CHECKING, Any, cast

import pytest
from pycrdt import XmlFragment

from weft.deltas import apply, check, compose, from_utf16, utf16_length
from weft.documents.yjs.binding import create_doc, observe_deep, raw_transaction
from weft.errors import MirrorError
from weft.mirrors.yjs.xml_texts import XmlSharedText
from weft.mirrors.yjs.xml_tree import Run

if TYPE_CHECKING:
    from weft.deltas import Delta
    from weft.documents.yjs.binding import Txn
    from weft.mirrors.yjs.xml_tree import Node

BLOCKS = {"p": "paragraph", "h": "heading", "ul": "bullet_list", "li": "list_item", "q": "blockquote"}
BLOCKS |= {"pre": "code_block", "hr": "horizontal_rule", "br": "hard_break", "td": "table_cell"}
JOIN: Delta = [{"retain": 1}, {"delete": 1}]
SHORT = {name: short for short, name in BLOCKS.items()}


class Peer:
    """A document with a fragment, and the text that is kept beside it."""

    def __init__(self, xml: str = "") -> None:
        self.doc = create_doc()
        self.raw: Any = cast("Any", self.doc.get("pm", type=XmlFragment)).integrated
        self.error: Exception | None = None
        self.is_writing = False
        with raw_transaction(self.doc) as txn:
            self._build(txn, xml)
            self.text = XmlSharedText(txn, self.raw)
        self._end = observe_deep(self.doc, self.raw, self._hear)

    def _build(self, txn: Txn, xml: str) -> None:
        stack = [self.raw]
        for close, tag, text in re.findall(r"<(/?)(\w+)>|([^<]+)", xml):
            at = stack[-1].len(txn)
            if text:
                stack[-1].insert_str(txn, at, text)
            elif close:
                stack.pop()
            else:
                made = stack[-1].insert_element_prelim(txn, at, BLOCKS.get(tag, tag))
                if tag not in {"hr", "br"}:
                    stack.append(made)

    def _hear(self, events: list[Any], txn: Txn) -> None:
        if self.is_writing:
            return
        try:
            old, old_delta = self.text.string, self.text.delta()
            delta = self.text.translate(txn, events)
            check(delta)
            assert apply(old, delta) == self.text.string
            assert compose(old_delta, delta) == self.text.delta()
        except Exception as error:  # noqa: BLE001 - raised where the test looks
            self.error = error

    def write(self, delta: Delta) -> None:
        self.is_writing = True
        try:
            with raw_transaction(self.doc) as txn:
                self.text.write(txn, delta)
        finally:
            self.is_writing = False

    def verify(self) -> None:
        """What is kept is what a new reader reads."""
        if self.error is not None:
            raise self.error
        with raw_transaction(self.doc) as txn:
            other = XmlSharedText(txn, self.raw)
        assert [_shown(node) for node in other.root.children] == [_shown(n) for n in self.text.root.children]
        assert (other.lengths, other.string) == (self.text.lengths, self.text.string)

    def xml(self) -> str:
        """The fragment in short."""
        with raw_transaction(self.doc) as txn:
            text = str(self.raw.get_string(txn))
        for name, short in SHORT.items():
            text = re.sub(rf"(</?){name}\b", rf"\1{short}", text)
        return text.replace("></hr>", ">").replace("></br>", ">")


def _shown(node: Node) -> Any:
    if isinstance(node, Run):
        return node.key, node.delta
    return node.key, node.tag, node.attributes, [_shown(child) for child in node.children]


@pytest.mark.parametrize(
    ("xml", "text"),
    [
        ("", ""),
        ("<p></p>", ""),
        ("<p>a</p><h>b</h><p></p>", "a\nb\n"),
        ("<p>a<br>b</p><hr><p>c</p>", "a\ufffcb\n\ufffc\nc"),
        ("<ul><li><p>a</p><ul><li><p>b</p></li></ul></li><li><p>c</p></li></ul>", "a\nb\nc"),
        ("<p>a<chip>hidden</chip>b</p>", "a\ufffcb"),
        ("<pre>a\nb</pre><p>c</p>", "a\nb\nc"),
    ],
)
def test_blocks_are_lines(xml: str, text: str) -> None:
    peer = Peer(xml)
    assert peer.text.string == text


@pytest.mark.parametrize(
    ("xml", "delta", "after"),
    [
        ("", [{"insert": "a\nb"}], "<p>a</p><p>b</p>"),
        ("<p>ab</p>", [{"retain": 1}, {"insert": "\n"}], "<p>a</p><p>b</p>"),
        ("<h>ab</h>", [{"retain": 2}, {"insert": "\nc"}], "<h>ab</h><p>c</p>"),
        ("<p>a</p><h>b</h>", [{"retain": 1}, {"delete": 1}], "<p>ab</p>"),
        ("<p></p><h>b</h>", [{"delete": 1}], "<h>b</h>"),
        ("<p>ab</p><p>cd</p><p>ef</p>", [{"retain": 1}, {"delete": 6}], "<p>af</p>"),
        ("<p>a<br>b</p>", [{"retain": 1}, {"delete": 1}, {"insert": "x"}], "<p>axb</p>"),
        ("<pre>ab</pre>", [{"retain": 1}, {"insert": "\n"}], "<pre>a\nb</pre>"),
        ("<ul><li><p>a</p></li><li><p>b</p></li></ul>", JOIN, "<ul><li><p>ab</p></li></ul>"),
        ("<p>a</p>", [{"retain": 1}, {"insert": "\n"}, {"insert": {"horizontal_rule": {}}}], "<p>a</p><hr>"),
        ("<p>ab</p>", [{"retain": 1}, {"insert": {"hard_break": {}}}], "<p>a<br>b</p>"),
    ],
)  # fmt: skip
def test_edits_come_to_blocks(xml: str, delta: Delta, after: str) -> None:
    peer = Peer(xml)
    wanted = apply(peer.text.string, delta)
    peer.write(delta)
    peer.verify()
    assert peer.text.string == wanted
    assert peer.xml() == after


@pytest.mark.parametrize(
    ("xml", "delta", "reason"),
    [
        ("<hr><p>a</p>", [{"retain": 1}, {"delete": 1}], "cannot be joined"),
        ("<hr>", [{"retain": 1}, {"insert": "x"}], "line of its own"),
        ("<p>a</p>", [{"insert": {"horizontal_rule": {}}}], "insert a line break first"),
        ("<p>a</p>", [{"insert": {"image": "url"}}], "an embed is {name: {attributes}}"),
        ("<pre>a</pre>", [{"insert": {"image": {}}}], "cannot stand in a code_block"),
        ("<p>x</p><ul><li><p>a</p><ul><li><p>b</p></li></ul></li></ul>", JOIN, "first"),
        ("<p>x</p><td><p>a</p></td>", [{"retain": 1}, {"delete": 1}], "first"),
    ],
)  # fmt: skip
def test_what_no_editor_can_show_is_refused_whole(xml: str, delta: Delta, reason: str) -> None:
    peer = Peer(xml)
    before = peer.doc.get_update()
    with pytest.raises(MirrorError, match=reason):
        peer.write([{"insert": "y"}, *delta] if xml.startswith("<p>") else delta)
    assert peer.doc.get_update() == before
    peer.verify()


def test_a_delta_beyond_the_end_is_refused() -> None:
    peer = Peer("<p>a</p>")
    with pytest.raises(ValueError, match="reaches offset 5 of a text of 1"):
        peer.write([{"insert": "b"}, {"retain": 5}])
    peer.verify()


def test_what_is_not_touched_keeps_its_types() -> None:
    peer = Peer("<p>one</p><p>two</p><p>three</p>")
    keys = [_shown(node)[0] for node in peer.text.root.children]
    peer.write([{"retain": 5}, {"insert": "\n"}, {"retain": 3}, {"insert": "!"}])
    after = [_shown(node)[0] for node in peer.text.root.children]
    assert after[:2] == keys[:2]
    assert after[3] == keys[2]
    peer.verify()


WORDS = ("a", "bc", "é", "😀", "x\ny", "\n", "hello", "\n\n", "👨\u200d👩\u200d👧", "שלום")
ATOMS = ("image", "hard_break", "horizontal_rule")


def _random_delta(rng: random.Random, text: str) -> Delta:
    delta: Delta = []
    at = 0
    for _ in range(rng.randint(1, 3)):
        rest = text[from_utf16(text, at) :]
        if kept := utf16_length(rest[: rng.randint(0, len(rest))]):
            mark: dict[str, Any] = {rng.choice(["strong", "em"]): rng.choice([{}, None])}
            delta.append({"retain": kept, "attributes": mark} if rng.random() < 0.3 else {"retain": kept})
            at += kept
            rest = text[from_utf16(text, at) :]
        if rng.random() < 0.55:
            inserted: Any = rng.choice(WORDS) if rng.random() < 0.85 else {rng.choice(ATOMS): {"src": "x"}}
            delta.append({"insert": inserted})
            if rng.random() < 0.3 and isinstance(inserted, str):
                delta[-1]["attributes"] = {"strong": {}}
        elif rest:
            count = utf16_length(rest[: rng.randint(1, 6)])
            delta.append({"delete": count})
            at += count
    return delta


def _edit_as_an_editor(rng: random.Random, peer: Peer) -> None:
    with raw_transaction(peer.doc) as txn:
        for _ in range(rng.randint(1, 4)):
            _edit_once(rng, txn, peer.raw)


def _edit_once(rng: random.Random, txn: Txn, raw: Any) -> None:
    count, x = raw.len(txn), rng.random()
    if not count or x < 0.15:
        made = raw.insert_element_prelim(txn, rng.randint(0, count), rng.choice(["paragraph", "code_block"]))
        if rng.random() < 0.8:
            made.insert_str(txn, 0, rng.choice(WORDS))
        return
    at = rng.randrange(count)
    if x < 0.25:
        raw.remove_range(txn, at, 1)
        return
    if x < 0.32:
        made = raw.insert_element_prelim(txn, at, "bullet_list")
        for number in range(rng.randint(1, 3)):
            item = made.insert_element_prelim(txn, number, "list_item")
            item.insert_element_prelim(txn, 0, "paragraph").insert_str(txn, 0, rng.choice(WORDS))
        return
    node = raw.get(txn, at)
    while hasattr(node, "tag") and node.tag() not in ATOMS and node.len(txn) and rng.random() < 0.8:
        node = node.get(txn, rng.randrange(node.len(txn)))
    if not hasattr(node, "tag"):
        length = node.len(txn)
        if rng.random() < 0.6 or not length:
            node.insert(txn, rng.choice([0, length]), rng.choice(WORDS), iter([("em", {})]))
        elif rng.random() < 0.5:
            node.format(txn, 0, length, iter([("strong", {})]))
        else:
            node.remove_range(txn, 0, length)
    elif node.tag() in ATOMS:
        node.insert_attribute(txn, "src", rng.choice(WORDS))
    elif not node.len(txn):
        node.insert_str(txn, 0, rng.choice(WORDS))
    elif rng.random() < 0.5:
        node.insert_element_prelim(txn, rng.randint(0, node.len(txn)), rng.choice(ATOMS[:2]))
    else:
        node.insert_attribute(txn, "level", rng.randint(1, 3))


def run_program(seed: int) -> tuple[int, int]:
    """Two peers edit, each by deltas and as an editor does; gives how many deltas were taken and refused."""
    rng = random.Random(seed)
    peers = (Peer(), Peer())
    taken = refused = 0
    for _ in range(rng.randint(3, 14)):
        for peer in peers:
            if rng.random() < 0.5:
                _edit_as_an_editor(rng, peer)
            else:
                old = peer.text.string
                delta = _random_delta(rng, old)
                before = peer.doc.get_update()
                try:
                    peer.write(delta)
                except MirrorError:
                    refused += 1
                    assert peer.doc.get_update() == before
                else:
                    taken += 1
                    assert peer.text.string == apply(old, delta)
            peer.verify()
        if rng.random() < 0.5:
            a, b = peers
            update = a.doc.get_update(b.doc.get_state())
            a.doc.apply_update(b.doc.get_update(a.doc.get_state()))
            b.doc.apply_update(update)
            a.verify()
            b.verify()
            assert a.text.delta() == b.text.delta()
    return taken, refused


def test_random_edits_by_deltas_and_as_editors_do() -> None:
    start = random.randrange(1 << 30)
    taken = 0
    for seed in range(start, start + 60):
        print(f"seed {seed}")
        taken += run_program(seed)[0]
    assert taken > 100
