"""Shared texts with JavaScript's Automerge: its splices, marks, blocks and cursors, and ours there."""

from __future__ import annotations

import asyncio
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from support.amdocs import numbered_document
from support.amlinks import JsLink
from support.amtexts import KEY, PIECES, TextPeer, edit_at_random
from weft import Store
from weft.deltas import compose, utf16_length
from weft.documents.automerge.document import AutomergeDocument
from weft.mirrors.automerge import AutomergeMirror
from weft.providers import AutomergeWebsocketProvider

if TYPE_CHECKING:
    from support.node import JsPeer, SyncJsPeer
    from weft.deltas import Delta
    from weft.server import Server

pytestmark = pytest.mark.interop

PATH = ["tinybase", "t", *KEY]


class _Js:
    """A document in JavaScript that was begun with ours."""

    def __init__(self, js: SyncJsPeer, name: str, peer: TextPeer, actor: int) -> None:
        self._js = js
        self.name = name
        js("am.create", name=name, data=peer.document.save(), actor=actor.to_bytes(16))

    def __call__(self, op: str, **args: Any) -> Any:
        return self._js(op, name=self.name, path=PATH, **args)

    def edit(self, *edits: list[Any]) -> None:
        self._js("am.edit", name=self.name, edits=[[verb, PATH, *rest] for verb, *rest in edits])

    def exchange(self, *peers: TextPeer) -> None:
        for peer in peers:
            self._js("am.apply", name=self.name, changes=peer.document.changes_since(()))
        for peer in peers:
            peer.document.apply_changes(self._js("am.changes", name=self.name))

    @property
    def text(self) -> str:
        text: str = self("am.content")
        return text

    @property
    def delta(self) -> Delta:
        """What JavaScript calls spans, as a delta."""
        delta: Delta = []
        for span in self("am.spans"):
            operation = {"insert": span["value"]}
            if span.get("marks"):
                operation["attributes"] = span["marks"]
            delta.append(operation)
        return compose([], delta)

    def edit_at_random(self, random: Random) -> None:
        length = utf16_length(self.text)
        start, end = sorted(random.randint(0, length) for _ in range(2))  # within characters, too
        typed = "".join(random.choices(PIECES, k=random.randint(1, 4)))
        expand = random.choice(["none", "before", "after", "both"])
        match random.randrange(10):
            case 0 | 1 | 2 | 3:
                self.edit(["splice", start, 0, typed])
            case 4 | 5:
                self.edit(["splice", start, min(end - start, 3), ""])
            case 6:
                self.edit(["splice", start, min(end - start, 2), typed], ["splice", 0, 0, "^"])
            case 7 if end > start:
                self.edit(["mark", {"start": start, "end": end, "expand": expand}, "bold", True])
            case 8 if end > start:
                self.edit(["unmark", {"start": start, "end": end, "expand": expand}, "bold"])
            case 9:
                self.edit(["block", start, {"type": "p", "parents": ["x"], "attrs": {"level": 2}}])
            case _:
                self.edit(["text", "".join(random.sample(PIECES, 3)) + self.text])


def _spans(peer: TextPeer) -> Delta:
    """Our text as JavaScript's spans tell of it: a block has no marks there."""
    return compose(
        [],
        [
            operation if isinstance(operation["insert"], str) else {"insert": operation["insert"]}
            for operation in peer.text.delta()
        ],
    )


def test_javascript_types_formats_and_places_cursors_in_our_text(sync_js: SyncJsPeer) -> None:
    peer = TextPeer(1)
    peer.text.set("hello wörld 😀 שלום")
    js = _Js(sync_js, "types", peer, 2)
    js.edit(["splice", 5, 0, ","], ["mark", {"start": 0, "end": 5, "expand": "both"}, "bold", True])
    js.exchange(peer)
    assert (
        peer.told[-1]
        == (
            [{"retain": 5, "attributes": {"bold": True}}, {"insert": ",", "attributes": {"bold": True}}],
            False,
        )
        or peer.text.delta() == js.delta
    )
    js.edit(["block", 6, {"type": "paragraph", "parents": [], "attrs": {"level": 2}}])
    js.edit(["mark", {"start": 8, "end": 12}, "link", "http://x"], ["mark", {"start": 9, "end": 10}, "n", 5])
    js.exchange(peer)
    assert _spans(peer) == js.delta
    peer.check()
    for offset in range(utf16_length(js.text) + 1):
        if (
            0xDC00
            <= int.from_bytes(js.text.encode("utf-16-be")[2 * offset : 2 * offset + 2] or b"\0")
            < 0xE000
        ):
            continue  # in the middle of the emoji
        for assoc, move in ((0, "after"), (-1, "before")):
            if offset == utf16_length(js.text) or (offset == 0 and assoc < 0):
                continue
            place = peer.text.cursor(offset, assoc).to_json()
            assert place == js("am.cursor", at=offset, move=move)
            assert js("am.cursor.position", cursor=place) == offset
    assert peer.text.cursor(len(peer.text)).to_json() == js(
        "am.cursor", at=utf16_length(js.text), move="after"
    )


def test_places_of_deleted_letters_are_where_javascript_has_them(sync_js: SyncJsPeer) -> None:
    peer = TextPeer(1)
    peer.text.set("abc😀defשg")
    js = _Js(sync_js, "deleted", peer, 2)
    places = [peer.text.cursor(offset, assoc).to_json() for offset in (0, 1, 2, 3, 5, 7) for assoc in (0, -1)]
    js.edit(["splice", 1, 5, "XY"], ["splice", 0, 1, ""])
    js.exchange(peer)
    for place in places:
        found = peer.text.cursor_from_json(place)
        assert found is not None
        assert found.offset == js("am.cursor.position", cursor=place), place


def test_our_formats_and_embeds_are_marks_and_blocks_in_javascript(sync_js: SyncJsPeer) -> None:
    peer = TextPeer(1)
    peer.text.append("bold", {"bold": True}).append(" plain").append("link", {"link": "x", "size": 1.5})
    peer.text.insert_embed(4, {"type": "image", "parents": [], "attrs": {"src": "u"}})
    peer.text.format(6, 2, {"italic": True}).format(0, 2, {"bold": None})
    js = _Js(sync_js, "ours", peer, 2)
    assert js.delta == _spans(peer)
    js.edit(["splice", 2, 0, "!"])  # as JavaScript's own marks grow
    js.exchange(peer)
    assert js.delta == _spans(peer)
    peer.check()


@pytest.mark.parametrize("seed", range(3))
def test_python_and_javascript_edit_at_random_and_agree(sync_js: SyncJsPeer, seed: int) -> None:
    _edit_at_random(sync_js, seed, 15)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 150))
def test_python_and_javascript_edit_at_random_for_long_and_agree(sync_js: SyncJsPeer, seed: int) -> None:
    _edit_at_random(sync_js, seed, 40)


def _edit_at_random(sync_js: SyncJsPeer, seed: int, rounds: int) -> None:
    print(f"seed {seed}")
    random = Random(seed)
    peers = [TextPeer(1), TextPeer(9)]
    peers[0].text.set("begin 😀")
    peers[1].document.apply_changes(peers[0].document.changes_since(()))
    scripts = [_Js(sync_js, f"random {seed} {actor}", peers[0], actor) for actor in (5, 12)]
    for _ in range(rounds):
        for peer in peers:
            for _ in range(random.randint(0, 2)):
                edit_at_random(random, peer.store, peer.text)
        for js in scripts:
            for _ in range(random.randint(0, 2)):
                js.edit_at_random(random)
        if random.random() < 0.6:
            random.choice(scripts).exchange(random.choice(peers))
    for _ in range(2):
        for js in scripts:
            js.exchange(*peers)
    texts = {peer.check() for peer in peers} | {js.text for js in scripts}
    assert len(texts) == 1
    assert scripts[0].delta == scripts[1].delta == _spans(peers[0])
    sync_js("am.create", name=f"again {seed}", data=peers[1].document.save())
    assert sync_js("am.content", name=f"again {seed}", path=PATH) in texts
    assert AutomergeDocument(scripts[0]("am.save")).heads == peers[0].document.heads


async def test_a_text_in_a_room_of_our_server_is_edited_by_a_repo_and_by_us(
    weft_server: Server, js_peer: JsPeer
) -> None:
    await js_peer("repo.create", name="repo")
    await js_peer("repo.connect", name="repo", url=weft_server.url)
    await js_peer("repo.peers.wait", name="repo", count=1)
    initial = {"tinybase": {"t": {KEY[0]: {KEY[1]: {KEY[2]: "from a repo 😀"}}}, "v": {}}}
    url = (await js_peer("repo.make", name="doc", repo="repo", initial=initial))["url"]
    document = numbered_document(77)
    async with AutomergeWebsocketProvider(document, weft_server.url, url) as provider:
        await provider.wait_synced()
        store = Store().set_tables_schema({KEY[0]: {KEY[2]: {"type": "text"}}})
        with AutomergeMirror(store, document):
            text = store.text(*KEY)
            cursor = text.cursor(12)
            deltas: list[Delta] = []
            arrived = asyncio.Event()

            def hear(_: object, delta: Delta, is_local: bool) -> None:
                if not is_local:
                    deltas.append(delta)
                    arrived.set()

            text.add_listener(hear)
            await js_peer("am.edit", name="doc", edits=[["splice", PATH, 0, 4, "typed in"]])
            await asyncio.wait_for(arrived.wait(), 30)
            assert deltas == [[{"insert": "typed in"}, {"delete": 4}]]
            assert (str(text), cursor.offset) == ("typed in a repo 😀", 16)
            text.format(0, 8, {"bold": True}).append("!")
            await js_peer("am.wait", name="doc", path=PATH, equals="typed in a repo 😀!")
            spans = await js_peer("am.spans", name="doc", path=PATH)
            assert spans[0] == {"type": "text", "value": "typed in", "marks": {"bold": True}}


def test_tinybase_sees_a_string_and_what_it_sets_is_another_text(sync_js: SyncJsPeer) -> None:
    peer = TextPeer(1)
    peer.text.set("The cat 😀 sat")
    sync_js("am.store", name="tinybase", data=peer.document.save())
    link = JsLink(sync_js, "tinybase", peer.document)

    def seen(*call: str) -> object:
        if call:
            sync_js("store.call", name="tinybase", method="setCell", args=list(call))
        sync_js("settle")
        link.settle()
        content = sync_js("store.call", name="tinybase", method="getContent")
        return content[0]["notes"]["n1"].get("body")

    peer.text.append("!").format(0, 3, {"bold": True}).insert_embed(4, {"image": "x"})
    assert seen() == "The \ufffccat 😀 sat!"
    before = peer.text.delta()
    assert seen("notes", "n1", "title", "other cells leave it alone") == str(peer.text)
    assert peer.text.delta() == before
    assert seen("notes", "n1", "body", "The dog 😀 sat!") == "The dog 😀 sat!"
    gone = {"retain": 3, "attributes": {"bold": None}}
    assert peer.told[-1] == ([gone, {"retain": 1}, {"insert": "dog"}, {"delete": 4}], False)
    assert peer.text.delta() == [{"insert": "The dog 😀 sat!"}]
    peer.text.append("?")
    assert seen() == "The dog 😀 sat!?"
