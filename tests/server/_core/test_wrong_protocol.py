"""Clients that came to the address of the other protocol."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest
from websockets.asyncio.client import connect

from support.servers import eventually, serving
from support.yclient import step1_frame
from weft.documents.automerge import AutomergeDocument
from weft.errors import ConnectionClosedError
from weft.protocols.automerge_repo import encode
from weft.providers import AutomergeWebsocketProvider
from weft.server._core.wrong_protocol import WrongProtocolError, expect_no_repo, expect_no_room

if TYPE_CHECKING:
    from support.node import JsPeer

JOIN = encode({"type": "join", "senderId": "c", "peerMetadata": {}, "supportedProtocolVersions": ["1"]})
# As cbor-x writes it, with the number of entries in two bytes.
JOIN_OF_JAVASCRIPT = b"\xb9\0\x04" + JOIN[1:]


@pytest.mark.parametrize("join", [JOIN, JOIN_OF_JAVASCRIPT])
def test_each_protocol_s_first_message_is_known_and_its_own_is_welcome(join: bytes) -> None:
    with pytest.raises(WrongProtocolError, match="this URL is a Yjs room's") as caught:
        expect_no_repo(join)
    assert len(str(caught.value).encode()) <= 123  # what a close frame holds
    expect_no_room(join)
    step1 = step1_frame(b"\0")
    with pytest.raises(WrongProtocolError, match="this URL is automerge-repo's") as caught:
        expect_no_room(step1)
    assert len(str(caught.value).encode()) <= 123
    expect_no_repo(step1)
    for other in (b"", b"\xa0", b"\xa1join", b"\1\0"):
        expect_no_repo(other)
        expect_no_room(other)


async def test_a_provider_of_the_other_protocol_ends_with_the_reason() -> None:
    async with (
        serving() as server,
        AutomergeWebsocketProvider(AutomergeDocument(), f"{server.url}/sync") as provider,
    ):
        with pytest.raises(
            ConnectionClosedError, match="has automerge-repo at the URL without a path"
        ) as caught:
            await provider.wait_synced(timeout=20)
        assert caught.value.permanent


async def test_a_y_websocket_client_without_a_room_is_told_so(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "weft.server")
    async with serving() as server, connect(server.url) as client:
        await client.send(step1_frame(b"\0"))
        await client.wait_closed()
        assert client.close_code == 4400
    assert "a y-websocket client names a room behind it" in caplog.text


@pytest.mark.interop
async def test_a_javascript_repo_at_a_room_is_seen_in_the_log(
    js_peer: JsPeer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "weft.server")
    async with serving() as server:
        await js_peer("repo.create", name="repo")
        await js_peer("repo.connect", name="repo", url=f"{server.url}/sync")
        await eventually(lambda: "automerge-repo connects to the server's URL without a path" in caplog.text)
        await js_peer("repo.disconnect", name="repo")
