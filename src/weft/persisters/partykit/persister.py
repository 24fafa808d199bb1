"""Persisting to a PartyKit room: the content by HTTP at first, changes by websocket both ways.

TinyBase 10.0.1, ``persister-partykit-client`` and ``TinyBasePartyKitServer``. It differs where TinyBase loses
edits: the room answers nothing, so TinyBase takes each change for saved that it has sent; and where
others were first, what its Store had is sent to nobody. Here a save is over when the change has come back, on
another socket (see ``room.py``).
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Literal, Unpack
from urllib.parse import quote

from weft._support.arguments import check_seconds, wrong_kind
from weft._support.urls import is_loopback, shown_url
from weft.errors import StorageError
from weft.jsoncodec import dumps
from weft.persisters._core.persister import Persister
from weft.persisters._core.replaced import PlaceReplacedError
from weft.persisters._core.unsaved import keep_not_loaded
from weft.persisters._text.json_text import parse_content
from weft.persisters.partykit.messages import (
    Leaves,
    changes_of,
    cut,
    lacking,
    leaves_of,
    leaves_of_content,
    message_of,
    parse_message,
)
from weft.persisters.partykit.room import Given, PartyKitRoom
from weft.values import UNDEFINED, is_same

if TYPE_CHECKING:
    from collections.abc import Callable

    import aiohttp

    from weft.persisters._core.engine import TinyBaseOptions
    from weft.persisters._core.unsaved import RawContent, StoredChanges, StoredContent
    from weft.store import Store

__all__ = ["PartyKitPersister"]

_PATH_SAFE = (
    "/%!$&'()*+,;=:@[]|^-._~"  # what browsers leave alone in a path (WHATWG URL), as JavaScript clients do
)


class PartyKitPersister(Persister):
    """Keeps a Store in a PartyKit room whose server is TinyBase's ``TinyBasePartyKitServer``.

    ::

        async with PartyKitPersister(store, "shop.example.partykit.dev", "pets") as persister:
            await persister.start_auto_persisting()

    It has two sockets open, from its first save or automatic loading to its close, each a client of the room:
    a room tells a change to everyone but its sender, so what one sends is confirmed by the other.

    Args:
        store: The Store.
        host: Of the party, with a port if need be.
        room: Name of the room.
        party: Name of the party.
        store_path: Where the room has its content: the server's ``storePath``.
        protocol: ``"https"`` or ``"http"``, for the websockets, too; ``None``: ``"http"`` on this machine.
        message_prefix: The server's ``messagePrefix``.
        params: Query parameters sent with every request, such as a token; or a function that is asked for
            them each time, as for a token that ends.
        headers: Headers sent with every request, such as ``Authorization``; likewise.
        confirm_seconds: How long an edit waits to be confirmed before the room is asked what it holds. What
            it has not taken after a second such wait was refused (``canSetCell`` and the like): that is
            reported, and auto-load brings what the room has instead.
        session: A session of yours, which stays open; without one, one is made.
        timeout: Seconds for one request, and for opening a socket.
        max_bytes: The largest answer or message that is read.
        on_error: Called with what automatic work could not do.
    """

    tells_order = True

    def __init__(
        self,
        store: Store,
        host: str,
        room: str,
        *,
        party: str = "main",
        store_path: str = "/store",
        protocol: Literal["http", "https"] | None = None,
        message_prefix: str = "",
        params: Given = None,
        headers: Given = None,
        confirm_seconds: float = 2.0,
        session: aiohttp.ClientSession | None = None,
        timeout: float = 30.0,
        max_bytes: int = 64 * 2**20,
        on_error: Callable[[Exception], object] | None = None,
        **tinybase: Unpack[TinyBaseOptions],
    ) -> None:
        for name, text in (("host", host), ("room", room), ("party", party), ("store_path", store_path)):
            if not isinstance(text, str):
                raise wrong_kind(f"{name}, as str,", text)
        if not host or "/" in host or any(character in host for character in "?#@\\"):
            raise ValueError(f"host is the name of a host, with a port if need be; got {shown_url(host)!r}")
        if not room or not party or {".", ".."} & {*room.split("/"), party}:
            raise ValueError(f"room and party must be names; got {room!r} and {party!r}")
        if protocol not in {None, "http", "https"}:
            raise ValueError(f"protocol must be 'http' or 'https'; got {protocol!r}")
        check_seconds("confirm_seconds", confirm_seconds)
        check_seconds("timeout", timeout)
        super().__init__(store, on_error=on_error, **tinybase)
        if protocol is None:
            protocol = "http" if is_loopback(host.rpartition(":")[0].strip("[]") or host) else "https"
        path = quote(f"/parties/{party}/{room}", safe=_PATH_SAFE)
        self._room = PartyKitRoom(
            f"{protocol}://{host}{path}",
            store_path,
            params=params,
            headers=headers,
            session=session,
            timeout=timeout,
            max_bytes=max_bytes,
            heard=self._heard,
            opened=self._opened_again,
            lost=self._lost,
        )
        self._prefix = message_prefix
        self._confirm_seconds = confirm_seconds
        self._listener: Callable[..., None] | None = None
        self._exists = False  # whether the room has content, without which it takes no changes
        # The pieces that were sent and have not come back, and what of those that have was missing.
        self._sent: deque[Leaves] = deque()
        self._refused: Leaves = {}
        self._news = asyncio.Event()
        self._failure: StorageError | None = None

    def get_urls(self) -> tuple[str, str]:
        """Get the URLs of the room, where its websockets are, too, and of its content."""
        return self._room.url, self._room.store_url

    @property
    def place(self) -> str:
        """How errors call the place."""
        return shown_url(self._room.url)

    async def read(self) -> RawContent | None:
        """GET the content."""
        data = await self._room.get()
        self._exists = data is not None
        return None if data is None else parse_content(data)

    async def watch(self, listener: Callable[..., None]) -> object:
        """Listen; what is read from now on lacks nothing that was not heard."""
        await self._room.listen()
        self._listener = listener
        return listener

    async def unwatch(self, handle: object) -> None:
        """Pay no more attention to what others change."""
        del handle
        self._listener = None

    async def write(
        self, get_content: Callable[[], StoredContent], changes: StoredChanges | None = None
    ) -> None:
        """Send changes, and the first content there is by PUT; return when the room has them."""
        await self._room.listen()
        there: Leaves | None = None
        if changes is None or not self._exists:
            content = await self.read()
            there = leaves_of_content(content)
            if changes is None:
                await self._journal.settled()  # a transaction may have begun meanwhile
                wanted = get_content()
                if content is not None:
                    keep_not_loaded(wanted, content, self._journal.not_loaded)
                leaves = leaves_of(wanted)
                leaves.update(dict.fromkeys(there.keys() - leaves.keys(), UNDEFINED))
            else:
                leaves = leaves_of(changes)
            if content is None:
                there = await self._create(leaves)
            leaves = lacking(there, leaves)
        else:
            leaves = leaves_of(changes)
        refused = await self._send(leaves, there)
        if refused:
            first = ", ".join(map(repr, next(iter(refused))[1:]))
            error = StorageError(f"{self.place}: {len(refused)} changes were refused, the first: {first}")
            if changes is None:
                raise error
            self._report(error)
            self._lost_sight()

    async def release(self) -> None:
        """Close the sockets, and the session if it was made here."""
        await self._room.close()

    # -- sending -----------------------------------------------------------------------------------------

    async def _create(self, leaves: Leaves) -> Leaves:
        """Give the room its first content, as much as it can store in one step. Returns what it has then."""
        cells = {path: leaf for path, leaf in leaves.items() if leaf is not UNDEFINED}
        for first in (next(cut(cells), {}), {}):  # a room that refuses all of it is as empty as before
            await self._room.put(dumps(changes_of(first)[:2]))
            content = await self.read()
            if content is not None:
                return leaves_of_content(content)
        raise StorageError(f"{self.place}: the room takes no content")

    async def _send(self, leaves: Leaves, there: Leaves | None) -> Leaves:
        """Send changes, and once more, on another connection, what is not confirmed; tell what is refused."""
        refused: Leaves = {}
        for _ in range(2):
            leaves = await self._exchange(list(cut(leaves, there)))
            refused.update(self._refused)
            if not leaves:
                return refused
            content = await self.read()
            if content is None:
                raise PlaceReplacedError(f"{self.place}: the room has lost its content")
            there = leaves_of_content(content)
            leaves = lacking(there, leaves)
            await self._room.hang_up()
        return refused | leaves

    async def _exchange(self, pieces: list[Leaves]) -> Leaves:
        """Send pieces and wait until they have come back; tell which have not."""
        self._refused, self._failure = {}, None
        await self._room.listen()  # nothing would come back otherwise
        self._sent.extend(pieces)
        try:
            for piece in pieces:
                await self._room.send(message_of(piece, self._prefix))
            while self._sent and self._failure is None:
                self._news.clear()
                async with asyncio.timeout(self._confirm_seconds):
                    await self._news.wait()
            if self._failure is not None:
                raise StorageError(*self._failure.args) from self._failure
        except TimeoutError:
            return {path: leaf for piece in self._sent for path, leaf in piece.items()}
        finally:
            self._sent.clear()
        return {}

    # -- hearing -----------------------------------------------------------------------------------------

    def _heard(self, text: str) -> None:
        try:
            leaves = parse_message(text, self._prefix)
        except StorageError as error:
            self._report(error)
            self._ask()
            return
        if not leaves or self._is_own(leaves):
            return
        containers = any(path[0] == "t" and len(path) < 4 for path in leaves)
        # What is under way comes after this, and is what counts.
        for piece in self._sent:
            for path in [path for path in leaves if path in piece or _parents(path) & piece.keys()]:
                del leaves[path]
            if containers and any(_parents(path) & leaves.keys() for path in piece):
                self._ask()  # a row or table went as a whole, of which there is something again
                return
        if leaves and self._listener is not None:
            self._listener(None, changes_of(leaves))

    def _is_own(self, leaves: Leaves) -> bool:
        """Whether this is a piece that was sent, or what of one the room has taken."""
        for piece in self._sent:
            if all(path in piece and is_same(piece[path], leaf) for path, leaf in leaves.items()):
                break
        else:
            return False
        # The room takes one after the other: nothing of those before this, and of this what came.
        while (taken := self._sent.popleft()) is not piece:
            self._refused.update(taken)
        self._refused.update((path, piece[path]) for path in piece.keys() - leaves.keys())
        self._news.set()
        return True

    def _ask(self) -> None:
        if self._listener is not None:
            self._listener()

    def _opened_again(self) -> None:
        self._inbox.clear()  # older than what is loaded now
        self._ask()
        if self._wake is not None:
            self._wake.set()  # what could not be saved need not wait any longer

    def _lost(self, error: StorageError) -> None:
        self._failure = error
        self._news.set()
        if self._listener is not None:
            self._report(error)


def _parents(path: tuple[str, ...]) -> set[tuple[str, ...]]:
    """The row and table of a cell, the table of a row."""
    return {path[:length] for length in range(2, len(path))} if path[0] == "t" else set()
