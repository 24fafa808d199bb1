"""Persisting to a web server, and the handler that is the server's side.

The requests are those of TinyBase's remote persister (10.0.1): GET to load, HEAD with ``If-None-Match`` to
look for changes, POST of the whole JSON text to save. Beyond that, a save says by ``If-Match`` which text it
replaces (RFC 9110, section 13): a server that answers 412 is asked again and merged with.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Unpack

import aiohttp
from aiohttp import web

from weft._support.arguments import check_callable, wrong_kind
from weft._support.urls import shown_url
from weft.errors import StorageError
from weft.persisters._core.mergeable_journal import MergeableJournal, document_of
from weft.persisters._core.store_journal import StoreJournal
from weft.persisters._text.json_text import (
    parse_content,
    parse_either,
    render_document,
    render_store,
    version_of,
)
from weft.persisters._text.persister import ANY, ConflictError, TextPersister

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from weft.persisters._core.engine import TinyBaseOptions
    from weft.store import Store

__all__ = ["RemotePersister", "remote_handler"]

_log = logging.getLogger("weft.persisters")

_MAX_BYTES = 64 * 2**20
_SECONDS = 30.0


class RemotePersister(TextPersister):
    """Keeps a Store behind a URL.

    Args:
        store: The Store.
        load_url: Where to GET.
        save_url: Where to POST; ``load_url`` if ``None``.
        poll_seconds: How often auto-load asks for changes.
        headers: Sent with every request, such as ``Authorization``.
        session: A session of yours, which stays open; without one, one is made.
        timeout: Seconds for one request, where the session is made here.
        max_bytes: The largest answer that is read.
        on_error: Called with what automatic work could not do.
    """

    def __init__(
        self,
        store: Store,
        load_url: str,
        save_url: str | None = None,
        *,
        poll_seconds: float = 5.0,
        headers: Mapping[str, str] | None = None,
        session: aiohttp.ClientSession | None = None,
        timeout: float = _SECONDS,
        max_bytes: int = _MAX_BYTES,
        on_error: Callable[[Exception], object] | None = None,
        **tinybase: Unpack[TinyBaseOptions],
    ) -> None:
        for url in (load_url, load_url if save_url is None else save_url):
            if not isinstance(url, str):
                raise wrong_kind("a URL, as str,", url)
            if not url.lower().startswith(("http://", "https://")):
                raise ValueError(f"a URL of http:// or https:// is needed here, and not {shown_url(url)!r}")
        super().__init__(store, poll_seconds=poll_seconds, on_error=on_error, **tinybase)
        self._load_url = load_url
        self._save_url = load_url if save_url is None else save_url
        self._headers = dict(headers or {})
        self._given = session
        self._session = session
        self._timeout = timeout
        self._max_bytes = max_bytes

    def get_urls(self) -> tuple[str, str]:
        """Get the URLs of loading and saving."""
        return self._load_url, self._save_url

    @property
    def place(self) -> str:
        """How errors call the place."""
        return shown_url(self._load_url)

    async def fetch(self) -> tuple[bytes | None, object]:
        """GET the text."""
        status, headers, data = await self._request("GET", self._load_url)
        if status in {204, 404}:
            return None, None
        self._expect(status, "GET", self._load_url)
        return data or None, headers.get("ETag") or version_of(data)

    async def put(self, data: bytes, expected: object) -> object:
        """POST the text, if it replaces what is expected where the server can tell."""
        headers = {"Content-Type": "application/json"}
        if self._save_url == self._load_url and expected is not ANY:
            if expected is None:
                headers["If-None-Match"] = "*"
            elif isinstance(expected, str) and not expected.startswith("W/"):
                headers["If-Match"] = expected
            elif await self.probe() != expected:  # a server must not match a weak one, or gives none
                raise ConflictError(f"{shown_url(self._load_url)}: another saved before")
        status, answered, _ = await self._request("POST", self._save_url, headers, data)
        if status == 412:
            raise ConflictError(f"{shown_url(self._save_url)}: another saved before")
        self._expect(status, "POST", self._save_url)
        tag = answered.get("ETag") if self._save_url == self._load_url else None
        if tag is not None:
            return tag
        # What is there now may be another's already; only if it is ours is its version that of our text.
        there, version = await self.fetch()
        return version if there == data else version_of(data)

    async def probe(self) -> object:
        """HEAD, and no more than that where nothing changed."""
        known = self._version if isinstance(self._version, str) else None
        headers = {"If-None-Match": known} if known else {}
        status, answered, _ = await self._request("HEAD", self._load_url, headers)
        if status == 304:
            return known
        if status in {204, 404}:
            return None
        self._expect(status, "HEAD", self._load_url)
        return answered.get("ETag") or (await self.fetch())[1]

    async def release(self) -> None:
        """Close the session, if it was made here."""
        if self._session is not None and self._given is None:
            await self._session.close()

    @staticmethod
    def _expect(status: int, method: str, url: str) -> None:
        if not 200 <= status < 300:
            raise StorageError(f"{shown_url(url)}: {method} was answered with status {status}")

    async def _request(
        self, method: str, url: str, headers: Mapping[str, str] | None = None, data: bytes | None = None
    ) -> tuple[int, Mapping[str, str], bytes]:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=self._timeout))
        try:
            async with self._session.request(
                method, url, headers={**self._headers, **(headers or {})}, data=data
            ) as response:
                if response.method != method:
                    what = f"{method} was redirected to a {response.method}, which saves nothing"
                    raise StorageError(f"{shown_url(url)}: {what}")
                body = bytearray()
                async for chunk in response.content.iter_chunked(2**16):
                    body += chunk
                    if len(body) > self._max_bytes:
                        raise StorageError(
                            f"{shown_url(url)}: the answer is longer than {self._max_bytes} bytes"
                        )
                return response.status, response.headers, bytes(body)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            # Not from the error: a log would show the URL that it holds.
            raise StorageError(f"{shown_url(url)}: {shown_url(repr(error))}") from None


def remote_handler(
    store: Store,
    *,
    max_bytes: int = _MAX_BYTES,
    on_error: Callable[[Exception], object] | None = None,
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Make an aiohttp handler that serves a Store to remote persisters, ours and TinyBase's.

    ::

        app.router.add_route("*", "/store", remote_handler(store))

    Who may ask is for your application to say, with a middleware.

    Args:
        store: The Store that is loaded and saved. Use it in the thread of the event loop only.
        max_bytes: The longest text it takes.
        on_error: Takes what is wrong with a text that was taken: cells that the Store's schema refuses,
            tables that are no objects. Without it, a warning is logged.

    Returns:
        A handler for GET, HEAD and POST. It answers 404 until the Store first holds something. What
        is POSTed replaces the Store's content; cells that its schema refuses are left out and reported.
        A ``MergeableStore`` is served as mergeable content, and what is POSTed is merged.
    """
    check_callable("on_error", on_error)

    def report(error: Exception) -> None:
        if on_error is None:
            _log.warning("remote_handler: %s", error, exc_info=error)
            return
        try:
            on_error(error)
        except Exception:  # noqa: BLE001 - logged
            _log.exception("remote_handler: on_error failed on %r", error)

    document = document_of(store)
    side = (
        StoreJournal(store, lambda: None, report)
        if document is None
        else MergeableJournal(store, document, lambda: None, report)
    )
    kept: list[tuple[bytes, str]] = []
    # A Store that never held anything is nothing yet; one that was emptied is content, and empties others.
    filled = [store.has_tables() or store.has_values()]

    def changed(_: object) -> None:
        kept.clear()
        filled[0] = True

    if document is None:
        store.add_did_finish_transaction_listener(changed)
    else:
        document.subscribe(changed)

    def current() -> tuple[bytes, str]:
        if not kept:
            data = render_store(store) if document is None else render_document(document)
            kept.append((data, f'"{(version_of(data) or b"").hex()}"'))
        return kept[0]

    async def handle(request: web.Request) -> web.StreamResponse:
        if request.method in {"GET", "HEAD"}:
            if not filled[0]:
                return web.Response(status=404)
            data, tag = current()
            headers = {"ETag": tag, "Cache-Control": "no-cache"}
            if request.headers.get("If-None-Match") in {tag, "*"}:
                return web.Response(status=304, headers=headers)
            return web.Response(body=data, content_type="application/json", headers=headers)
        if request.method != "POST":
            return web.Response(status=405, headers={"Allow": "GET, HEAD, POST"})
        if request.content_type != "application/json":  # no form of another site's can send it unasked
            return web.Response(status=415)
        body = bytearray()
        async for chunk in request.content.iter_chunked(2**16):
            body += chunk
            if len(body) > max_bytes:
                return web.Response(status=413)
        try:
            content = (parse_content if document is None else parse_either)(bytes(body))
        except StorageError as error:
            return web.Response(status=400, text=str(error))
        await side.settled()
        # Nothing is awaited from here: what was compared is what is replaced.
        tag = current()[1]
        wanted, unwanted = request.headers.get("If-Match"), request.headers.get("If-None-Match")
        agreed = wanted in {None, "*"} or (filled[0] and wanted == tag) if unwanted != "*" else not filled[0]
        if not agreed:
            return web.Response(status=412, headers={"ETag": tag})
        try:
            side.join(content) if isinstance(side, MergeableJournal) else side.replace(content)
        except StorageError as error:
            return web.Response(status=400, text=str(error))
        filled[0] = True
        return web.Response(status=204, headers={"ETag": current()[1]})

    return handle
