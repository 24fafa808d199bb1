"""The widget's half in Python: what it answers, which edits it takes, and that closing ends it."""

from __future__ import annotations

import asyncio
import gc
from _thread import get_ident
from typing import TYPE_CHECKING, Any

import pytest

import weft
from support.foreign import in_thread
from weft import Store
from weft.notebook import LiveTable, live

if TYPE_CHECKING:
    from pathlib import Path

SPECIES = {"fido": {"species": "dog", "price": 5}, "felix": {"species": "cat", "price": 4}}


class Page:
    """What a browser is sent."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sent: list[dict[str, Any]] = []
        monkeypatch.setattr(LiveTable, "send", lambda _, message: self.sent.append(message))

    def says(self, table: LiveTable, **message: object) -> list[dict[str, Any]]:
        self.sent.clear()
        table._handle_custom_msg(message, [])
        return self.sent


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> Page:
    return Page(monkeypatch)


@pytest.fixture
def store() -> Store:
    return Store().set_table("pets", SPECIES)


def test_nothing_is_sent_before_somebody_looks(store: Store, page: Page) -> None:
    table = live(store, "pets")
    store.set_cell("pets", "fido", "price", 6)
    assert page.sent == []
    editable, whole = page.says(table, type="hello")
    assert editable == {"type": "editable", "columns": False, "title": "pets"}
    assert whole["type"] == "page"
    assert whole["ids"] == ["fido", "felix"]
    assert whole["rows"]["fido"]["price"] == ["number", "6"]
    table.close()


def test_a_transaction_is_told_once_and_another_table_not_at_all(store: Store, page: Page) -> None:
    table = live(store, "pets")
    page.says(table, type="hello")
    page.sent.clear()
    with store.transaction():
        store.set_cell("pets", "fido", "price", 6)
        store.set_cell("pets", "felix", "price", 7)
    (change,) = page.sent
    assert change["rows"] == {"fido": {"price": ["number", "6"]}, "felix": {"price": ["number", "7"]}}
    store.set_cell("owners", "ada", "age", 36)
    assert page.sent == [change]
    table.close()


def test_pages_and_orders(store: Store, page: Page) -> None:
    table = live(store, "pets", page_size=1, sort="price")
    assert page.says(table, type="hello")[1]["ids"] == ["felix"]
    (message,) = page.says(table, type="show", offset=0, sort="price", descending=True)
    assert message["ids"] == ["fido"]
    (message,) = page.says(table, type="show", offset=1, sort=None, descending=False)
    assert message["ids"] == ["felix"]
    table.close()


@pytest.mark.parametrize(
    ("editable", "cell", "answer"),
    [
        (True, "price", "taken"),
        (["price"], "price", "taken"),
        (["species"], "price", "refused"),
        (False, "price", "refused"),
    ],
)
def test_edits_are_taken_where_that_was_asked_for(
    store: Store, page: Page, editable: Any, cell: str, answer: str
) -> None:
    table = live(store, "pets", editable=editable)
    page.says(table, type="hello")
    *changes, last = page.says(table, type="edit", row="fido", cell=cell, text="8")
    assert (last["type"], last["row"], last["cell"]) == (answer, "fido", cell)
    assert len(changes) == (answer == "taken")
    assert store.get_cell("pets", "fido", "price") == (8 if answer == "taken" else 5)
    table.close()


def test_what_is_refused_says_why(store: Store, page: Page) -> None:
    store.set_tables_schema({"pets": {"species": {"enum": ["dog", "cat"]}, "price": {"type": "number"}}})
    table = live(store, "pets", editable=True)
    for cell, text, reason in [
        ("price", "x", "this must be a number"),
        ("species", "cow", "the schema allows"),
    ]:
        (refused,) = page.says(table, type="edit", row="fido", cell=cell, text=text)
        assert refused["type"] == "refused"
        assert reason in refused["reason"]

    def fail(*_: object) -> None:
        raise RuntimeError("a listener of the program's own")

    store.add_cell_listener(None, None, None, fail)
    *_, refused = page.says(table, type="edit", row="fido", cell="price", text="9")
    assert refused["reason"] == "a listener of the program's own"
    table.close()


@pytest.mark.parametrize("message", [{}, {"type": "edit"}, {"type": "show", "offset": "1"}, {"type": 1}])
def test_a_message_that_is_none_is_left_alone(store: Store, page: Page, message: Any) -> None:
    table = live(store, "pets", editable=True)
    assert page.says(table, **message) == []
    table.close()


def test_closing_ends_it(store: Store, page: Page) -> None:
    before = store.get_listener_stats()
    table = live(store, "pets", editable=True)
    page.says(table, type="hello")
    table.close()
    table.close()
    assert store.get_listener_stats() == before
    page.sent.clear()
    store.set_cell("pets", "fido", "price", 6)
    assert page.says(table, type="edit", row="fido", cell="price", text="7") == []
    assert store.get_cell("pets", "fido", "price") == 6


async def test_a_store_of_weft_sync_is_shown_by_the_thread_of_the_notebook(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    sent: list[tuple[int, dict[str, Any]]] = []
    came = asyncio.Event()

    def send(_: object, message: dict[str, Any]) -> None:
        sent.append((get_ident(), message))
        came.set()

    monkeypatch.setattr(LiveTable, "send", send)
    with weft.sync.open(tmp_path / "pets.json", poll=True) as store:
        store.set_table("pets", SPECIES)
        table = store.live("pets", editable=True)
        table._handle_custom_msg({"type": "hello"}, [])
        sent.clear()
        came.clear()
        in_thread(lambda: store.set_cell("pets", "fido", "price", 6))
        await came.wait()
        ((thread, change),) = sent
        assert thread == get_ident()
        assert change["rows"] == {"fido": {"price": ["number", "6"]}}
        table._handle_custom_msg({"type": "edit", "row": "fido", "cell": "price", "text": "7"}, [])
        assert store.get_cell("pets", "fido", "price") == 7
        assert sent[-1][1]["type"] == "taken"
        table.close()


async def test_a_store_of_weft_open_has_live(page: Page, tmp_path: Path) -> None:
    async with weft.open(tmp_path / "pets.json") as store:
        store.set_table("pets", SPECIES)
        table = store.live("pets", columns=["price"], page_size=1, sort="price", descending=True)
        _, message = page.says(table, type="hello")
        assert (message["ids"], message["columns"], message["size"]) == (["fido"], ["price"], 1)
        table.close()


@pytest.mark.parametrize(
    ("arguments", "options", "kind", "text"),
    [
        (("pets",), {"page_size": 0}, ValueError, "from 1 to 1,000, not 0"),
        (("pets",), {"page_size": True}, ValueError, "from 1 to 1,000, not True"),
        (("pets",), {"columns": "price"}, TypeError, "lists of cell ids"),
        (("pets",), {"editable": "price"}, TypeError, "lists of cell ids"),
        ((1,), {}, TypeError, "an id must be a str"),
    ],
)
def test_wrong_arguments(
    store: Store, arguments: Any, options: Any, kind: type[Exception], text: str
) -> None:
    before = store.get_listener_stats()
    with pytest.raises(kind, match=text):
        live(store, *arguments, **options)
    with pytest.raises(TypeError, match=r"a weft\.Store is needed here"):
        live({}, "pets")  # type: ignore[arg-type]
    gc.collect()  # a widget that was half made may be closed by then
    assert store.get_listener_stats() == before
