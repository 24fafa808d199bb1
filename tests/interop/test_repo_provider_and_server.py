"""Our automerge-repo provider on our server, beside a TinyBase Store on automerge-repo."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from support.live import LiveRepoPeer
from support.serving import WeftServe
from weft.errors import DocumentUnavailableError, ProviderError, SyncTimeoutError
from weft.providers import Backoff
from weft.server import Allow, Deny, Request, Server, SqliteRoomStorage

if TYPE_CHECKING:
    from pathlib import Path

    from support.node import JsPeer
    from support.ydocs import Content

pytestmark = pytest.mark.interop

QUICK = Backoff(initial=0.02, maximum=0.1)


async def test_stores_of_both_languages_edit_one_document(weft_server: Server, js_peer: JsPeer) -> None:
    async with LiveRepoPeer(weft_server.url) as first:
        first.store.set_cell("pets", "fido", "species", "dog")
        await first.provider.flush(timeout=20)
        url = first.provider.document_url
        async with LiveRepoPeer(weft_server.url, url) as second:
            await second.provider.wait_synced(timeout=20)
            assert second.content() == ({"pets": {"fido": {"species": "dog"}}}, {})
            await js_peer("repo.create", name="client")
            await js_peer("repo.connect", name="client", url=weft_server.url)
            await js_peer("repo.find", name="js", repo="client", url=url)
            await js_peer("repo.state.wait", name="js", state="ready")
            await js_peer("am.store", name="js")
            await js_peer("store.call", name="js", method="setCell", args=["pets", "felix", "legs", 4])
            second.store.set_value("open", True)
            expected: Content = ({"pets": {"fido": {"species": "dog"}, "felix": {"legs": 4}}}, {"open": True})
            for peer in (first, second):
                await peer.until_content(expected)
            await js_peer("store.wait", name="js", method="getContent", equals=list(expected))


async def test_what_was_flushed_survives_a_killed_server_and_what_was_not_comes_back(tmp_path: Path) -> None:
    database = tmp_path / "weft.sqlite3"
    with WeftServe(database) as first:
        port = first.port
        async with LiveRepoPeer(first.url, backoff=QUICK, on_error=lambda error: None) as peer:
            for number in range(50):
                peer.store.set_cell("t", f"r{number}", "c", number)
            await peer.provider.flush(timeout=20)
            first.kill()
            peer.store.set_cell("t", "offline", "c", -1)
            url = peer.provider.document_url
            with WeftServe(database, port=port) as second:
                await peer.provider.flush(timeout=20)
                async with LiveRepoPeer(second.url, url) as late:
                    await late.provider.wait_synced(timeout=20)
                    assert late.content() == peer.content()
                    assert len(late.store.get_row_ids("t")) == 51
                await peer.provider.close()
                await asyncio.to_thread(second.stop)


async def test_readers_get_everything_and_strangers_are_told_that_nobody_has_it(tmp_path: Path) -> None:
    def auth(request: Request) -> Allow | Deny:
        if "stranger" in request.query:
            return Deny()
        return Allow(read_only="reader" in request.query)

    errors: asyncio.Queue[Exception] = asyncio.Queue()
    storage = SqliteRoomStorage(tmp_path / "rooms.sqlite3")
    async with Server(auth=auth, storage=storage, port=0) as server, LiveRepoPeer(server.url) as writer:
        writer.store.set_cell("t", "r", "c", 1)
        await writer.provider.flush(timeout=20)
        url = writer.provider.document_url
        options: dict[str, Any] = {"close_timeout": 0.05, "on_error": errors.put_nowait}
        async with LiveRepoPeer(server.url, url, params={"reader": "yes"}, **options) as reader:
            await reader.provider.wait_synced(timeout=20)
            reader.store.set_cell("t", "r", "mine", 2)
            with pytest.raises(ProviderError, match="may not be written"):
                await reader.provider.flush(timeout=20)
            writer.store.set_cell("t", "r", "c", 3)
            await reader.until_cell("t", "r", "c", 3)
            assert writer.content() == ({"t": {"r": {"c": 3}}}, {})
        assert "may not be written" in str(errors.get_nowait())
        async with LiveRepoPeer(server.url, url, params={"stranger": "yes"}, **options) as stranger:
            assert isinstance(await asyncio.wait_for(errors.get(), 20), DocumentUnavailableError)
            with pytest.raises(SyncTimeoutError, match="has not got automerge:"):
                await stranger.provider.wait_synced(timeout=0.05)
        assert errors.empty()
