"""Python reads what JavaScript reads where a JavaScript peer has split an emoji."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING, Any

import pytest
from pycrdt import Doc, Map, Text, XmlFragment

from support.live import LivePeer
from support.replicas import connected, mirrored
from support.servers import eventually, serving
from support.ydocs import numbered_doc
from weft import Store, deltas
from weft.documents import UpdateLog, YDocument, merge_updates
from weft.documents.yjs.load import load_doc
from weft.mirrors.shapes import SharedText
from weft.mirrors.yjs import YjsMirror

if TYPE_CHECKING:
    from pathlib import Path

    from support.node import JsPeer, SyncJsPeer
    from support.ypeers import Layout
    from weft.mirrors.shapes import Shapes

pytestmark = pytest.mark.interop

HISTORIES = int(os.environ.get("WEFT_SPLIT_HISTORIES", "25"))
WORDS = ["a", "😀", "🔴🟢", "é", "x😀y"]


class Followed:
    """A text as a cell of a Store, and as its listeners have followed it."""

    def __init__(self, doc: Doc[Any], layout: Any) -> None:
        self.store, self.errors = Store(), list[Exception]()
        self.store.set_tables_schema({"notes": {"body": {"type": "text"}}})
        self.text = self.store.text("notes", "n", "body")
        self.followed = ""
        self.text.add_listener(self._follow)
        self.mirror = YjsMirror(self.store, doc, "texts", layout, on_error=self.errors.append).start()

    def _follow(self, _text: object, delta: deltas.Delta, _is_local: bool) -> None:
        self.followed = deltas.apply(self.followed, delta)

    def edit(self, rng: random.Random) -> None:
        if not self.store.has_cell("notes", "n", "body"):
            return
        content = str(self.text)
        at = rng.randint(0, len(content))
        if at < len(content) and rng.random() < 0.4:
            self.text.delete(deltas.to_utf16(content, at), len(content[at].encode("utf-16-le")) // 2)
        else:
            self.text.insert(deltas.to_utf16(content, at), rng.choice(WORDS))

    def check(self, wanted: str, told: str) -> None:
        assert str(self.text) == self.followed == wanted, told
        assert not self.errors, (told, self.errors)


class PythonPeer:
    """A document with a mirrored Store, whose user holds what they got of it at the start."""

    def __init__(self, client_id: int) -> None:
        self.doc = numbered_doc(client_id)
        self.document = YDocument.of(self.doc)
        self.text = self.doc.get("t", type=Text)
        self.map = self.doc.get("m", type=Map)
        self.fragment = self.doc.get("x", type=XmlFragment)
        self.nested: Any = None
        self.sent: list[bytes] = []
        self.heard: list[bytes] = []
        self.seen = 0
        self.document.subscribe(lambda update, origin: self.sent.append(update) if origin is None else None)
        self.doc.observe(lambda event: self.heard.append(event.update))
        self.text.observe(self._changed)
        self.store = Store()
        self.errors: list[Exception] = []
        layout: Layout = "flat" if client_id % 2 else "tinybase"
        declared: Shapes = {"notes.n.body": SharedText("t")}
        self.body, self.cell = Followed(self.doc, declared), Followed(self.doc, "tinybase")
        self.mirror = YjsMirror(self.store, self.doc, layout, layout, on_error=self.errors.append).start()

    def _changed(self, _event: object) -> None:
        self.seen += 1

    def receive(self, update: bytes) -> None:
        self.document.apply(update, origin="net")
        if self.nested is None and "text" in self.map:
            self.nested = self.map["text"]

    def edit(self, rng: random.Random) -> list[bytes]:
        texts = [self.text, *([self.nested] if self.nested is not None else [])]
        for _ in range(rng.randint(1, 2)):
            if rng.random() < 0.25:
                rng.choice([self.body, self.cell]).edit(rng)
                continue
            text = rng.choice(texts)
            # pycrdt counts bytes: where characters begin.
            places = [0]
            for piece, _ in text.diff():
                for character in piece if isinstance(piece, str) else "?":
                    places.append(places[-1] + len(character.encode()))
            at = rng.randrange(len(places))
            match rng.randrange(4):
                case 0 | 1:
                    text.insert(places[at], rng.choice(WORDS))
                case 2 if at + 1 < len(places):
                    del text[places[at] : places[at + 1]]
                case 3 if at + 1 < len(places):
                    text.format(places[at], places[at + 1], {"colour": f"c{rng.getrandbits(40)}"})
                case _:
                    self.store.set_cell("t", rng.choice("abc"), "c", rng.choice(WORDS))
        return self.take()

    def take(self) -> list[bytes]:
        sent, self.sent = self.sent, []
        return sent

    def read(self) -> dict[str, Any]:
        nested = [] if self.nested is None else [shown(self.nested)]
        xml = [str(child.children[0]) for child in self.fragment.children]
        state = {str(client): clock for client, clock in self.document.state().items()}
        return {"texts": [shown(self.text), *nested], "xml": xml, "state": state}


def shown(text: Any) -> str:
    return "".join(piece if isinstance(piece, str) else "\ufffc" for piece, _ in text.diff())


def lengths(text: Any) -> list[list[Any]]:
    return [
        [len(piece.encode("utf-16-le")) // 2 if isinstance(piece, str) else 1, (formats or {}).get("colour")]
        for piece, formats in text.diff()
    ]


def history(js: SyncJsPeer, seed: int) -> None:
    rng = random.Random(seed)
    names = [f"{seed}-{at}" for at in range(rng.randint(2, 4))]
    for at, name in enumerate(names):
        js("doc.create", name=name, clientId=0x5000_0000 + at, gc=rng.random() < 0.7)
    pythons = [PythonPeer(0x6000_0000 + at) for at in range(rng.randint(1, 2))]
    peers: list[Any] = [*names, *pythons]
    inboxes: dict[int, dict[int, list[bytes]]] = {
        at: {other: [] for other in range(len(peers))} for at in range(len(peers))
    }
    log = UpdateLog()

    def send(sender: int, updates: list[bytes]) -> None:
        for update in updates:
            log.add(update)
            for at, inbox in inboxes.items():
                if at != sender:
                    inbox[sender].append(update)

    def give(at: int, update: bytes) -> None:
        if isinstance(peers[at], str):
            js("doc.apply", name=peers[at], update=update)
        else:
            peers[at].receive(update)
            send(at, peers[at].take())

    def difference(at: int, to: int) -> bytes:
        peer, other = peers[at], peers[to]
        vector = (
            js("doc.stateVector", name=other) if isinstance(other, str) else other.document.state_vector()
        )
        if isinstance(peer, str):
            return bytes(js("doc.encode", name=peer, stateVector=vector))
        return bytes(peer.document.diff(vector))

    js("pairs.begin", name=names[0])
    send(0, js("doc.localUpdates", name=names[0]))
    pythons[0].cell.text.set("c😀")
    for python in pythons:
        send(peers.index(python), python.take())
    for _ in range(rng.randint(15, 40)):
        at = rng.randrange(len(peers))
        match rng.randrange(4):
            case 0 | 1:
                peer = peers[at]
                made = (
                    js("pairs.edit", name=peer, seed=rng.getrandbits(31))
                    if isinstance(peer, str)
                    else peer.edit(rng)
                )
                send(at, made)
            case 2 | 3:
                waiting = [sender for sender, queue in inboxes[at].items() if queue]
                if waiting:
                    queue = inboxes[at][rng.choice(waiting)]
                    taken = [queue.pop(0) for _ in range(rng.randint(1, len(queue)))]
                    if rng.random() < 0.3:
                        taken = [merge_updates(taken)]
                    elif rng.random() < 0.3:  # what does not follow on waits
                        rng.shuffle(taken)
                    for update in taken:
                        give(at, update)
            case _:
                other = rng.randrange(len(peers))
                if other != at:
                    give(at, difference(other, at))
    while True:
        for at, name in enumerate(names):  # what it has cleaned up, when it received something
            send(at, js("doc.localUpdates", name=name))
        if not any(queue for inbox in inboxes.values() for queue in inbox.values()):
            break
        for at, inbox in inboxes.items():
            for queue in inbox.values():
                while queue:
                    give(at, queue.pop(0))
    told = f"seed {seed}"
    wanted = js("pairs.read", name=names[0])
    told += f" {wanted}"
    assert not wanted["waits"], told
    for name in names[1:]:
        assert js("pairs.read", name=name) == wanted, told
    size = 2
    for python in pythons:
        read = python.read()
        assert read["texts"] == wanted["texts"][:size], told
        assert read["state"] == wanted["state"], told
        assert lengths(python.text) == wanted["formats"], told
        assert python.map.to_py().get("cell") == wanted["cell"], told
        python.body.check(wanted["texts"][0], told)
        python.cell.check(wanted["texts"][3], told)
        assert not python.errors, (told, python.errors)
        fed = js("pairs.newcomer", updates=[python.doc.get_update()])
        assert fed == wanted, told
        assert js("pairs.newcomer", updates=[python.document.diff(b"\0")]) == wanted, told
    # A durable replica's document, and one that is given all in one piece.
    for doc in (load_doc([log.diff()], client_id=7), numbered_doc(8)):
        YDocument.of(doc).apply(log.diff(), origin="net")
        assert shown(doc.get("t", type=Text)) == wanted["texts"][0], told
        fed = js("pairs.newcomer", updates=[doc.get_update()])
        assert fed == wanted, (told, fed)
    for name in names:
        js("doc.drop", name=name)


def test_python_reads_what_javascript_reads(js_session: SyncJsPeer) -> None:
    """WEFT_SPLIT_HISTORIES says how many histories; a failure names its seed."""
    for seed in range(HISTORIES):
        history(js_session, seed)


async def test_providers_replicas_and_servers_that_edit_read_it_too(tmp_path: Path, js_peer: JsPeer) -> None:
    path, rng = tmp_path / "farm.weft", random.Random(17)
    async with serving() as server:
        for name in ("a", "b"):
            await js_peer("live.join", name=name, url=server.url, room="farm")
            await js_peer("socket.wait", name=name, condition="synced")
        async with (
            LivePeer(server.url, "farm") as live,
            connected(path, server.url) as (replica, store, provider),
            server.open("farm") as edited,
            server.open_document("farm") as server_doc,
        ):
            await live.provider.wait_synced(timeout=20)
            docs = {"live": live.doc, "replica": replica.document, "server": server_doc}
            documents = {name: YDocument.of(doc) for name, doc in docs.items()}
            texts = {name: document.doc.get("t", type=Text) for name, document in documents.items()}
            await js_peer("pairs.begin", name="a")
            await eventually(
                lambda: all("text" in each.doc.get("m", type=Map) for each in documents.values())
            )
            for turn in range(25):
                for name in ("a", "b"):
                    await js_peer("pairs.edit", name=name, seed=rng.getrandbits(31))
                for name, text in texts.items():
                    text.insert(0, f"{name} 😀")
                    await js_peer("pairs.edit", name="a", seed=rng.getrandbits(31))
                store.set_cell("t", "replica", "c", turn)
                edited.set_cell("t", "server", "c", turn)
            for name in ("a", "b"):
                await js_peer("doc.edit", name=name, edits=[["set", ["m", name], "done"]])
            for row in ("replica", "server"):
                for name in ("a", "b"):
                    await js_peer("doc.wait", name=name, path=["tinybase", "t", "t", row, "c"], equals=turn)
            for name in ("a", "b"):
                await js_peer("doc.wait", name=name, path=["m", "b" if name == "a" else "a"], equals="done")
            await provider.flush()
            await live.provider.flush()
            wanted = await js_peer("pairs.read", name="b")
            assert await js_peer("pairs.read", name="a") == wanted
            for name, document in documents.items():
                await eventually(
                    lambda document=document: (
                        {str(at): clock for at, clock in document.state().items()} == wanted["state"]
                    )
                )
                assert shown(texts[name]) == wanted["texts"][0]
                newcomer = await js_peer("pairs.newcomer", updates=[document.diff(b"\0")])
                assert newcomer == wanted
            assert store.get_tables() == edited.get_tables() == live.store.get_tables()
    async with mirrored(path) as (replica, store):
        assert shown(replica.document.get("t", type=Text)) == wanted["texts"][0]
        assert store.get_table("t") == {"replica": {"c": turn}, "server": {"c": turn}}
