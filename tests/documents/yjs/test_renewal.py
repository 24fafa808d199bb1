"""A document goes on for everybody who holds it, when the binding is given another in its place."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest
from pycrdt import Array, Doc, Map, Text, XmlElement, XmlFragment, XmlText

from support.ywriter import update
from weft import Store
from weft.documents import YDocument, create_doc
from weft.documents.yjs import document as document_module, renewal
from weft.errors import RemoteProtocolError
from weft.mirrors.shapes import ArrayOfMaps, MapOfMaps, Nested, SharedText
from weft.mirrors.yjs import YjsMirror

if TYPE_CHECKING:
    from weft.mirrors.shapes import Shapes

AUTHOR = 5
HALVED = "a\ufffdb"


class Shared:
    """A document that has everything, and what a user got of it while its text was ``a😀b``."""

    def __init__(self, **options: Any) -> None:
        author: Doc[Any] = Doc(client_id=AUTHOR)
        author.get("t", type=Text).insert(0, "a😀b")
        self.doc = create_doc(**options)
        self.document = YDocument.of(self.doc)
        self.text = self.doc.get("t", type=Text)
        self.map = self.doc.get("m", type=Map)
        self.array = self.doc.get("a", type=Array)
        self.xml = self.doc.get("x", type=XmlFragment)
        self.map["row"] = Map({"cell": 1, "note": Text("n😀")})
        self.row = self.map["row"]
        self.note = self.row["note"]
        self.array.append(Map({"q": 1}))
        self.element = self.array[0]
        self.xml.children.append(XmlElement("p"))
        self.paragraph = self.xml.children[0]
        self.paragraph.children.append(XmlText("hi"))
        self.phrase = self.paragraph.children[0]
        self.document.apply(author.get_update(), origin="author")

    def split(self) -> None:
        """Have somebody delete the second half of the emoji."""
        inner = self.doc._doc
        self.document.apply(update(deletes=bytes([1, AUTHOR, 1, 2, 1])), origin="peer")
        assert self.doc._doc is not inner


def test_shared_types_got_before_are_those_of_the_document() -> None:
    held = Shared()
    held.split()
    assert str(held.text) == HALVED
    held.text += "!"
    held.row["cell"] = 2
    held.note += "!"
    held.element["q"] = 2
    held.phrase += "!"
    held.array.append(3)
    doc = held.doc
    assert str(doc.get("t", type=Text)) == HALVED + "!"
    assert doc.get("m", type=Map).to_py() == {"row": {"cell": 2, "note": "n😀!"}}
    assert doc.get("a", type=Array).to_py() == [{"q": 2}, 3]
    assert str(doc.get("x", type=XmlFragment)) == "<p>hi!</p>"
    again = create_doc()
    again.apply_update(doc.get_update())
    assert str(again.get("t", type=Text)) == HALVED + "!"
    assert again.get_state() == doc.get_state()


def test_the_document_has_the_ids_that_it_had() -> None:
    held = Shared(client_id=77, guid="theirs")
    before = held.document.state()
    held.split()
    assert (held.doc.client_id, held.doc.guid) == (77, "theirs")
    assert held.document.state() == before
    held.text += "c"
    assert held.document.state() == {**before, 77: before[77] + 1}


@pytest.mark.parametrize("keeps", [True, False])
def test_what_is_deleted_is_kept_or_not_as_before(*, keeps: bool) -> None:
    held = Shared(skip_gc=keeps)
    held.split()
    held.text += "secret"
    del held.text[5:11]
    assert (b"secret" in held.doc.get_update()) is keeps


def test_observers_go_on_and_can_be_ended() -> None:
    held, heard = Shared(), list[Any]()
    watched: list[tuple[Any, Any]] = [
        (held.text, held.text.observe(lambda event: heard.append(("text", event.delta)))),
        (held.map, held.map.observe_deep(lambda events: heard.append(("deep", events[0].path)))),
        (
            held.row,
            held.row.observe(lambda event, txn: heard.append(("row", event.keys["cell"]["newValue"]))),
        ),
        (held.doc, held.doc.observe(lambda _event: heard.append(("doc", None)))),
        (held.doc, held.doc.observe_subdocs(lambda _event: heard.append(("subdocs", None)))),
    ]
    held.split()
    assert heard == [("text", [{"retain": 4}, {"delete": 3}]), ("doc", None)]
    heard.clear()
    held.row["cell"] = 2
    held.map["more"] = Doc()
    assert heard == [
        ("row", 2.0), ("deep", ["row"]), ("doc", None), ("deep", []), ("doc", None), ("subdocs", None),
    ]  # fmt: skip
    for holder, subscription in watched:
        holder.unobserve(subscription)
    heard.clear()
    held.row["cell"] = 3
    held.text += "x"
    assert not heard


def text_of(client: int, content: str) -> bytes:
    doc: Doc[Any] = Doc(client_id=client)
    doc.get("other", type=Text).insert(0, content)
    return doc.get_update()


def test_it_may_happen_often() -> None:
    held, heard = Shared(), list[Any]()
    watching = held.text.observe(lambda event: heard.append(event.delta))
    for client in range(10, 20):
        held.document.apply(text_of(client, "😀"), origin="author")
        held.document.apply(update(deletes=bytes([1, client, 1, 1, 1])), origin="peer")
    assert str(held.doc.get("other", type=Text)) == "\ufffd" * 10
    held.text.insert(0, "x")
    assert heard == [[{"insert": "x"}]]
    held.text.unobserve(watching)
    held.text.insert(0, "x")
    assert len(heard) == 1


async def test_a_stream_of_events_goes_on() -> None:
    held = Shared()
    events = held.text.events(deep=False)
    held.split()
    held.text.insert(0, "x")
    assert (await events.receive()).delta == [{"retain": 4}, {"delete": 3}]
    assert (await events.receive()).delta == [{"insert": "x"}]
    events.close()


def test_a_shared_type_that_was_deleted_says_so() -> None:
    held = Shared()
    del held.map["row"]
    held.split()
    with pytest.raises(RuntimeError, match="was deleted"):
        held.row.to_py()
    held.map["row"] = Map({"cell": 3})
    assert held.map["row"].to_py() == {"cell": 3}


def test_rows_of_a_long_list_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renewal, "_WALKED", 3)
    held = Shared()
    with held.doc.transaction():
        for at in range(10):
            held.array.append(Map({"q": at}))
            held.array.append(at)
        held.map["list"] = Array([Map({"q": at}) for at in range(4)])
    last, nested = held.array[19], held.map["list"][3]
    held.split()
    last["q"] = "last"
    assert held.doc.get("a", type=Array)[19].to_py() == {"q": "last"}
    with pytest.raises(RuntimeError, match="in a long list; get it from the document again"):
        nested.to_py()


async def test_an_asynchronous_observer_ends_and_it_is_said(caplog: pytest.LogCaptureFixture) -> None:
    held, heard = Shared(), list[object]()

    async def changed(event: object) -> None:
        heard.append(event)

    held.doc.observe(changed)
    with caplog.at_level(logging.WARNING):
        async with held.doc.new_transaction():
            held.split()
    assert "asynchronous observer" in caplog.text
    assert len(heard) <= 1  # what was committed before


def test_an_open_transaction_goes_on() -> None:
    held, told, origins = Shared(), list[bytes](), list[Any]()
    mirror = YjsMirror(Store(), held.doc).start()
    held.document.subscribe(lambda brought, _origin: told.append(brought))
    held.text.observe(lambda event: origins.append(event.transaction.origin))
    peer = YDocument.of(doc := create_doc())
    peer.apply(held.doc.get_update(), origin="net")
    with held.doc.transaction(origin="mine"):
        held.text += "1"
        held.split()
        held.text += "2"
        mirror.store.set_value("v", "😀")
    assert str(held.text) == HALVED + "12"
    assert origins == ["mine", "mine"]
    for brought in told:
        peer.apply(brought, origin="net")
    assert str(doc.get("t", type=Text)) == HALVED + "12"
    held.text += "3"
    assert held.doc._txn is None
    mirror.stop()


def test_peers_are_told_what_was_received() -> None:
    held, told = Shared(), list[bytes]()
    held.document.subscribe(lambda brought, _origin: told.append(brought))
    deletion = update(deletes=bytes([1, AUTHOR, 1, 2, 1]))
    held.document.apply(deletion, origin="peer")
    held.text += "c"
    assert len(told) == 2
    assert told[0] == deletion


@pytest.mark.parametrize("layout", ["tinybase", "flat"])
def test_mirrors_go_on(layout: Any) -> None:
    held = Shared()
    store, errors = Store(), list[Exception]()
    with YjsMirror(store, held.doc, "s", layout, on_error=errors.append):
        store.set_cell("t", "r", "c", "😀")
        held.split()
        store.set_cell("t", "r", "d", 1)
        peer = create_doc()
        with YjsMirror(Store(), peer, "s", layout) as mirror:
            YDocument.of(peer).apply(held.doc.get_update(), origin="net")
            assert mirror.store.get_tables() == {"t": {"r": {"c": "😀", "d": 1}}}
            mirror.store.set_cell("t", "r", "e", 2)
            held.document.apply(peer.get_update(), origin="net")
        assert store.get_tables() == {"t": {"r": {"c": "😀", "d": 1, "e": 2}}}
    assert not errors


def test_declared_shapes_go_on_and_their_texts_are_read_again() -> None:
    held = Shared()
    layout: Shapes = {
        "notes.n.body": SharedText("t"),
        "todos": ArrayOfMaps("todos", position="order"),
        "people": Nested("app.state", MapOfMaps("people")),
        "people.note": SharedText("note"),
    }
    store, errors = Store(), list[Exception]()
    with YjsMirror(store, held.doc, layout=layout, on_error=errors.append):
        store.set_row("todos", "one", {"title": "1"})
        store.set_row("todos", "two", {"title": "2", "order": 0})
        store.set_row("people", "ann", {"note": "😀", "age": 1})
        assert store.get_cell("notes", "n", "body") == "a😀b"
        held.split()
        assert store.get_cell("notes", "n", "body") == HALVED
        store.set_cell("notes", "n", "body", "!" + HALVED)
        store.set_cell("todos", "two", "title", "3")
        store.set_cell("people", "ann", "note", "!😀")
        store.set_row("todos", "three", {"title": "3", "order": 0})
        tables = store.get_tables()
    again = Store()
    with YjsMirror(again, held.doc, layout=layout, on_error=errors.append):
        assert again.get_tables() == tables
    assert [row["id"] for row in held.doc.get("todos", type=Array).to_py() or ()] == ["three", "two", "one"]
    assert not errors


def test_where_no_document_can_be_made_the_old_one_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    held, heard = Shared(), list[Any]()
    held.text.observe(heard.append)

    def refuse(*_: object) -> None:
        raise ValueError("no")

    deletion = update(deletes=bytes([1, AUTHOR, 1, 2, 1]))
    with monkeypatch.context() as patched:
        patched.setattr(renewal, "_rebind", refuse)
        with pytest.raises(RemoteProtocolError):
            held.document.apply(deletion, origin="peer")
    assert str(held.text) == "a😀b"
    held.text.insert(0, "x")
    assert len(heard) == 1
    held.document.apply(deletion, origin="peer")
    assert str(held.text) == "x" + HALVED


def test_one_that_no_half_is_cut_of_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    held = Shared()
    monkeypatch.setattr(document_module, "renew_doc", None)
    held.document.apply(update(deletes=bytes([1, AUTHOR, 1, 1, 2])), origin="peer")
    assert str(held.text) == "ab"
