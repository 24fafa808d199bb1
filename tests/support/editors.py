"""Pages in Chromium with an editor on a shared text: Quill on a Y.Text, ProseMirror on a Y.XmlFragment."""

from __future__ import annotations

import shutil
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from support.browser import bundle
from support.examples import serve_folder
from support.node import INTEROP, JsError, JsPeer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

__all__ = ["EditorPage", "make_editor_site", "open_pages"]


def make_editor_site(folder: Path) -> Path:
    """Put the page and what it loads in a folder."""
    bundle(INTEROP / "editors.mjs", folder / "editors.js", "--format=esm")
    shutil.copy(INTEROP / "editors.html", folder / "index.html")
    return folder


class EditorPage:
    """One page, in a room and with an editor.

    Args:
        js: The process that drives the browser.
        name: The page's.
    """

    def __init__(self, js: JsPeer, name: str) -> None:
        self._js, self._name = js, name

    async def run(self, source: str, **arg: Any) -> Any:
        """Call a JavaScript function with what is named, in the page; gives what it promises."""
        return await self._js("page.evaluate", name=self._name, source=source, arg=arg)

    async def call(self, method: str, *args: Any) -> Any:
        """Call a method of the editor."""
        return await self.run("({method, args}) => editor[method](...args)", method=method, args=args)

    async def type(self, text: str) -> None:
        """Type on the keyboard, where the cursor is."""
        await self._js("page.type", name=self._name, text=text)

    async def press(self, *keys: str) -> None:
        """Press keys."""
        for key in keys:
            await self._js("page.press", name=self._name, key=key)

    async def until(self, condition: str, **arg: Any) -> Any:
        """Wait until a function of the page's gives something else than nothing and ``false``."""
        return await self.run(f"(arg) => until(() => ({condition})(arg))", **arg)

    async def until_call(self, method: str, equals: Any) -> None:
        """Wait until a method of the editor gives a value."""
        source = "({method, equals}) => sorted(editor[method]()) === sorted(equals)"
        try:
            await self.until(source, method=method, equals=equals)
        except JsError:
            assert await self.call(method) == equals
            raise

    async def errors(self) -> list[str]:
        """What nobody caught in the page."""
        errors: list[str] = await self._js("page.errors", name=self._name)
        return errors


@asynccontextmanager
async def open_pages(
    site: Path, chromium: str, editor: str, path: list[str], url: str, room: str, *names: str
) -> AsyncIterator[list[EditorPage]]:
    """Open pages, have them in a room, and an editor in each: ``openQuill`` or ``openProseMirror``."""
    with serve_folder(site) as served:
        async with JsPeer() as js:
            pages = []
            for name in names:
                await js("page.open", name=name, url=f"{served}/index.html", chromium=chromium, timeout=60.0)
                page = EditorPage(js, name)
                await page.run("(arg) => join(arg)", url=url, room=room)
                await page.run(f"({{path}}) => {editor}(path)", path=path)
                pages.append(page)
            try:
                yield pages
                for page in pages:
                    assert await page.errors() == []
            finally:
                await js("page.closeAll")
