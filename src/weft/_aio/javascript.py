"""The one bridge to JavaScript, where Python runs in a browser's page or worker: under Pyodide.

Nothing else in weft imports ``js`` or ``pyodide``. There are no types for either: what comes over the bridge
is ``Any``, and each caller says what it expects of it.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import asynccontextmanager
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

__all__ = ["IN_BROWSER", "Javascript", "javascript"]

IN_BROWSER = sys.platform == "emscripten"
"""Whether there is JavaScript beside this Python."""

_TEXT = """
(() => {
  const MARK = '\\uFFFC';
  const read = (value) =>
    value === MARK ? undefined
    : Array.isArray(value) ? value.map(read)
    : typeof value === 'object' && value !== null
    ? Object.fromEntries(Object.entries(value).map(([key, item]) => [key, read(item)]))
    : value;
  const toText = (made) => JSON.stringify(made, (_, value) => (value === undefined ? MARK : value));
  return [toText, (text) => read(JSON.parse(text))];
})()
"""


class Javascript:
    """What weft uses of Pyodide.

    Attributes:
        globals: The page's, or the worker's: ``WebSocket``, ``indexedDB``, ``navigator``.
        error: What a JavaScript exception is raised as.
        to_text: Writes JavaScript's values as JSON text, with U+FFFC for ``undefined``, as TinyBase does.
        from_text: Makes for JavaScript what that text says.
        is_array: Whether it is a JavaScript array.
        null: What ``null`` is; ``None`` is ``undefined``.
    """

    def __init__(self) -> None:
        self.globals: Any = import_module("js")
        self._ffi: Any = import_module("pyodide.ffi")
        self._run: Any = import_module("pyodide.code").run_js
        self.error: type[Exception] = self._ffi.JsException
        self.null: object = self._ffi.jsnull
        self.to_text, self.from_text = self._run(_TEXT)
        self.is_array: Any = self.globals.Array.isArray

    def evaluate(self, source: str) -> Any:
        """Evaluate JavaScript."""
        return self._run(source)

    def callback(self, function: Callable[..., object]) -> Any:
        """Make a function that JavaScript may call, until ``destroy()`` is called on it."""
        return self._ffi.create_proxy(function)

    def record(self, **entries: object) -> Any:
        """Make a JavaScript object."""
        return self._ffi.to_js(entries, dict_converter=self.globals.Object.fromEntries)

    def array(self, items: Iterable[object]) -> Any:
        """Make a JavaScript array."""
        return self._ffi.to_js([*items])

    def byte_array(self, data: bytes) -> Any:
        """Copy bytes into a ``Uint8Array``."""
        return self._ffi.to_js(data)

    @asynccontextmanager
    async def lock(self, name: str) -> AsyncIterator[None]:
        """Hold a lock that all pages and workers of the origin share, and those alone that ask for it."""
        held: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        end = self.globals.Promise.withResolvers()

        def granted(_lock: object) -> Any:
            if not held.done():
                held.set_result(None)
            return end.promise

        self.globals.navigator.locks.request(name, self._ffi.create_once_callable(granted))
        try:
            await held
            yield
        finally:
            end.resolve()  # one that was given up is let go as soon as it comes


@cache
def _bridge() -> Javascript:
    return Javascript()


def javascript(what: str) -> Javascript:
    """Get the bridge.

    Args:
        what: What needs it, for the error.

    Raises:
        RuntimeError: This Python runs in no browser.
    """
    if not IN_BROWSER:
        raise RuntimeError(f"{what} runs in a browser, under Pyodide; this Python has no JavaScript")
    return _bridge()
