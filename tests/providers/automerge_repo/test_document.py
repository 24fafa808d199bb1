from __future__ import annotations

from typing import TYPE_CHECKING

from support.live import until
from support.provided import AutomergePeer
from support.reposerver import RepoServer, id_of
from weft.errors import (
    RemoteProtocolError,
)
from weft.protocols.automerge_repo.cbor import encode

if TYPE_CHECKING:
    from support.serverdouble import MemoryServing, SocketServing

    Serving = MemoryServing[RepoServer] | SocketServing[RepoServer]


async def test_what_listeners_raise_and_what_cannot_be_read_is_reported(
    memory: MemoryServing[RepoServer],
) -> None:
    async with AutomergePeer(memory) as one, AutomergePeer(memory) as other:
        heard: list[object] = []

        def fail(message: object, peer_id: str) -> None:
            raise KeyError(message)

        other.provider.add_ephemeral_listener(fail)
        other.provider.add_ephemeral_listener(lambda message, peer_id: heard.append(message))
        await one.provider.wait_synced()
        await other.provider.wait_synced()
        (visit,) = (visit for visit in memory.server.visits if visit.session.other == other.provider.peer_id)
        fields = {"documentId": id_of("room"), "senderId": "x", "sessionId": "y", "targetId": "z"}
        for count, data in enumerate([b"\xff", encode("a")[:-1], encode([1])]):
            visit.queue.put_nowait(encode({**fields, "type": "ephemeral", "count": count, "data": data}))
        await until(lambda: bool(heard), other.provider.handle.add_ephemeral_listener, "a message")
        assert heard == [[1]]
        assert [type(error) for error in other.errors] == [RemoteProtocolError, RemoteProtocolError, KeyError]
        assert other.provider.status == "connected"
