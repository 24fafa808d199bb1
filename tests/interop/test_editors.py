"""Quill and ProseMirror in Chromium, with their own bindings to Yjs, on cells that Python reads and edits."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from support.editors import make_editor_site, open_pages
from support.live import until
from weft import Store
from weft.mirrors.shapes import SharedText
from weft.mirrors.yjs import YjsMirror, create_doc
from weft.providers import YWebsocketProvider

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from weft.server import Server
    from weft.store import Text

pytestmark = pytest.mark.interop

CELL = ("notes", "n1", "body")
FAMILY = "👨\u200d👩\u200d👧"


@pytest.fixture(scope="module")
def site(_node: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_editor_site(tmp_path_factory.mktemp("editors"))


class Python:
    """A Store whose cell is the editor's text."""

    def __init__(self, url: str, shape: SharedText | None) -> None:
        self.errors: list[Exception] = []
        self.store = Store()
        self.doc = create_doc()
        layout: Any = "tinybase"
        if shape is None:
            self.store.set_tables_schema({CELL[0]: {CELL[2]: {"type": "text"}}})
        else:
            layout = {".".join(CELL): shape}
        self.mirror = YjsMirror(self.store, self.doc, layout=layout, on_error=self.errors.append)
        self.provider = YWebsocketProvider(self.doc, url, "r")

    @property
    def text(self) -> Text:
        return self.store.text(*CELL)

    def place(self, position: Any) -> int | None:
        """The offset of a relative position of the page's."""
        cursor = self.text.cursor_from_json(position)
        return None if cursor is None else cursor.offset

    async def until(self, text: str) -> None:
        """Wait until the cell is this string."""

        def hear(callback: Any) -> Any:
            listener = self.store.add_did_finish_transaction_listener(callback)
            return lambda: self.store.del_listener(listener)

        await until(lambda: str(self.text) == text, hear, f"{text!r}; there is {str(self.text)!r}")

    async def until_delta(self, delta: list[dict[str, Any]]) -> None:
        """Wait until the text has these formats, too."""

        def hear(callback: Any) -> Any:
            subscription = self.doc.observe(lambda _: callback())
            return lambda: self.doc.unobserve(subscription)

        await until(lambda: self.text.delta() == delta, hear, f"{delta}; there is {self.text.delta()}")


@asynccontextmanager
async def _python(url: str, shape: SharedText | None) -> AsyncIterator[Python]:
    python = Python(url, shape)
    with python.mirror:
        async with python.provider:
            await python.provider.wait_synced(timeout=20)
            yield python
    assert python.errors == []


async def _meet_offline(python: Python, page: Any) -> None:
    """Have both edit without a connection, and meet."""
    await python.provider.flush(timeout=20)
    await page.run("() => leave()")
    python.text.insert(0, "py ")
    await page.call("select", 6, 0)
    await page.type("js ")
    await page.run("() => comeBack()")
    await python.until("py Hello js 😀!")


@pytest.mark.parametrize("shape", [SharedText("body"), None], ids=["root", "cell"])
async def test_quill(weft_server: Server, site: Path, chromium: str, shape: SharedText | None) -> None:
    path = ["body"] if shape is not None else ["tinybase", "t", *CELL]
    async with _python(weft_server.url, shape) as python:
        python.text.append("He")
        await python.provider.flush(timeout=20)
        async with open_pages(site, chromium, "openQuill", path, weft_server.url, "r", "a", "b") as (a, b):
            # Typed in one page: in Python and in the other page.
            await a.call("select", 2, 0)
            await a.type("llo 😀!")
            await python.until("Hello 😀!")
            # Edits and formats of Python's, next to what was typed.
            python.text.insert(6, FAMILY, {"bold": True})
            python.text.format(0, 5, {"italic": True})
            shown = [
                {"insert": "Hello", "attributes": {"italic": True}},
                {"insert": " "},
                {"insert": FAMILY, "attributes": {"bold": True}},
                {"insert": "😀!\n"},
            ]
            await b.until_call("content", shown)
            # Formats and embeds of the editor's.
            await a.call("select", 0, 5)
            await a.call("format", "italic", False)
            await b.call("insertEmbed", 6, "image", "data:,")
            image = {"insert": {"image": "data:,"}, "attributes": {"bold": True}}  # as what stands behind it
            await python.until(f"Hello \ufffc{FAMILY}😀!")
            family = {"insert": FAMILY, "attributes": {"bold": True}}
            await python.until_delta([{"insert": "Hello "}, image, family, {"insert": "😀!"}])
            # Undo in an editor takes back what was done there, and nothing else.
            await b.call("undo")
            await python.until(f"Hello {FAMILY}😀!")
            python.text.delete(6, len(FAMILY.encode("utf-16-le")) // 2)
            await b.until_call("content", [{"insert": "Hello 😀!\n"}])
            # Where Python's cursor is, the page shows it; and the other way round.
            for assoc in (0, -1):
                cursor = python.text.cursor(6, assoc)
                position = cursor.to_json()
                python.provider.set_local_field("cursor", {"anchor": position, "head": position})
                client = str(python.doc.client_id)
                await a.until("({client}) => editor.cursors()[client]?.[0] === 6", client=client)
            await a.call("select", 8, 1)
            own = await a.run("() => ownCursor()")
            places = [python.place(own[end]) for end in ("anchor", "head")]
            assert places == [8, 9]
            await _meet_offline(python, a)
            await b.until_call("content", [{"insert": "py Hello js 😀!\n"}])


async def test_prosemirror(weft_server: Server, site: Path, chromium: str) -> None:
    url = weft_server.url
    async with (
        _python(url, SharedText("body", xml=True)) as python,
        open_pages(site, chromium, "openProseMirror", ["body"], url, "r", "a", "b") as (a, b),
    ):
        python.text.append("He")
        await a.until("() => editor.text() === 'He'")
        await a.call("select", 2)
        await a.type("llo 😀!")
        await a.press("Enter")
        await a.type("second")
        await a.call("insertNode", "hard_break")
        await a.type("line")
        await python.until("Hello 😀!\nsecond\ufffcline")
        # Python splits a block, formats, and joins.
        python.text.insert(6, FAMILY, {"strong": {}})
        python.text.insert(5, "\n")
        python.text.format(0, 5, {"em": {}})
        await b.until("({text}) => editor.text() === text", text=f"Hello\n {FAMILY}😀!\nsecond\ufffcline")
        strong = {"type": "text", "marks": [{"type": "strong"}], "text": FAMILY}
        content = await b.call("content")
        assert content[0]["content"] == [{"type": "text", "marks": [{"type": "em"}], "text": "Hello"}]
        assert content[1]["content"] == [
            {"type": "text", "text": " "},
            strong,
            {"type": "text", "text": "😀!"},
        ]
        # Formats, kinds of blocks and nodes of the editor's.
        await a.call("select", 0, 5)
        await a.call("format", "em", None)
        await a.call("setBlock", "heading", {"level": 2})
        await a.call("select", 5)
        await a.call("insertNode", "image", {"src": "data:,"})
        await python.until(f"Hello\ufffc\n {FAMILY}😀!\nsecond\ufffcline")
        delta = python.text.delta()
        assert delta[0] == {"insert": "Hello"}
        assert delta[1]["insert"]["image"]["src"] == "data:,"
        python.text.delete(5, 2).delete(6, len(FAMILY.encode("utf-16-le")) // 2)
        await b.until("({text}) => editor.text() === text", text="Hello 😀!\nsecond\ufffcline")
        assert (await b.call("content"))[0]["attrs"]["level"] == 2
        # Relative positions are what y-prosemirror makes, and each finds the other's.
        for offset in (*range(7), *range(8, len(python.text) + 1)):  # 7 is between the halves of an emoji
            position = python.text.cursor(offset).to_json()
            theirs = await a.call("position", offset)
            if offset:  # y-prosemirror names the fragment itself at 0
                assert {k: v for k, v in theirs.items() if v is not None} == position, offset
            assert await a.call("place", position) == offset
            assert python.place(theirs) == offset
        position = python.text.cursor(6).to_json()
        python.provider.set_local_field("cursor", {"anchor": position, "head": position})
        await b.until("({client}) => editor.cursors()[client]?.[1] === 6", client=str(python.doc.client_id))
        await _meet_offline_lines(python, a)
        await b.until("({text}) => editor.text() === text", text="py Hello js 😀!\nsecond\ufffcline")
        # Undo in the editor leaves what Python wrote.
        await a.call("undo")
        await python.until("py Hello 😀!\nsecond\ufffcline")


async def _meet_offline_lines(python: Python, page: Any) -> None:
    await python.provider.flush(timeout=20)
    await page.run("() => leave()")
    python.text.insert(0, "py ")
    await page.call("select", 6)
    await page.call("stopCapturing")
    await page.type("js ")
    await page.run("() => comeBack()")
    await python.until("py Hello js 😀!\nsecond\ufffcline")
