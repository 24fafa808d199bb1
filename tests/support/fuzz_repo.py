"""A child process in which a server, or a provider, gets damaged messages of automerge-repo.

``python -m support.fuzz_repo END SEED COUNT CASE_FILE``: each case is in CASE_FILE before it is tried.
"""

from __future__ import annotations

import asyncio
import faulthandler
import json
import logging
import random
import resource
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from websockets.asyncio.client import connect

from support.amdocs import project
from support.automerge_chunks import refit
from support.bridged import DOCUMENT, ROOM as BRIDGED, Tables
from support.fuzzing import mutated
from support.provided import AT_ONCE
from support.servers import eventually, serving
from weft import Store
from weft._codecs.automerge.sync_message import make_sync_message
from weft.errors import (
    ConnectionClosedError,
    ProviderError,
    RemoteProtocolError,
    SyncTimeoutError,
    WeftError,
)
from weft.mirrors import AutomergeDocument, AutomergeMirror
from weft.protocols.automerge_repo import document_url
from weft.protocols.automerge_repo.cbor import decode, encode
from weft.providers import AutomergeWebsocketProvider
from weft.server.automerge_repo.room import storage_name
from weft.server.storage import MemoryRoomStorage
from weft.testing import MemoryNetwork

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_MEMORY = 3 * 1024**3
_JOIN = encode({"type": "join", "senderId": "bad", "supportedProtocolVersions": ["1"]})
_PEER = encode({"type": "peer", "senderId": "bad", "selectedProtocolVersion": "1"})
_ROUND = 25  # cases between two looks at whether all is well


def _frames(saved: bytes, actor: bytes) -> list[bytes]:
    """What a peer of a document may say."""
    document = AutomergeDocument(saved, actor=actor)
    announcement = document.generate_sync_message(document.new_sync_state())
    assert announcement is not None
    store = Store()
    before = document.heads
    with AutomergeMirror(store, document):
        store.set_cell("pets", "rex", "legs", 4)
        store.set_cell("pets", "rex", "name", "h\u00e9")
        store.del_row("pets", "felix")
    changes = document.changes_since(before)
    syncs = [announcement, make_sync_message(document.heads, changes), make_sync_message((), [saved])]
    syncs.append(make_sync_message(document.heads, changes[1:]))
    said = {"senderId": "bad", "targetId": "other", "documentId": DOCUMENT}
    frames = [encode({"type": "sync", **said, "data": data}) for data in syncs]
    frames.append(encode({"type": "request", **said, "data": announcement}))
    frames.append(encode({"type": "doc-unavailable", **said}))
    presence = encode({"cursor": [1, None, 2.5, {"a": "b"}]})
    frames.append(encode({"type": "ephemeral", **said, "sessionId": "s", "count": 1, "data": presence}))
    frames.append(encode({"type": "leave", "senderId": "bad"}))
    frames.append(encode({"type": "error", **said, "message": "no"}))
    return [*frames, _JOIN, _PEER]


def _cases(seed: str, frames: list[bytes], count: int) -> Iterator[bytes]:
    """Damaged frames; frames whose damaged data is well packed; and damaged changes that are well packed."""
    random_ = random.Random(seed)
    for number in range(count):
        frame = random_.choice(frames)
        fields = cast("dict[str, Any]", decode(frame))
        if number % 3 == 0 or "data" not in fields:
            yield mutated(random_, frame, frames)
        elif number % 3 == 1 or fields["type"] != "sync":
            yield encode(fields | {"data": mutated(random_, fields["data"], frames)})
        else:
            # The chunk is what follows the message's head; without a change in it, the head is damaged.
            head, magic, chunk = fields["data"].partition(b"\x85oJ\x83")
            damaged = refit(mutated(random_, magic + chunk, frames)) if magic else b""
            yield encode(fields | {"data": make_sync_message((), [damaged]) if magic else head[:-1]})


def _content(actor: bytes) -> AutomergeDocument:
    document = AutomergeDocument(actor=actor)
    with AutomergeMirror(
        Store().set_table("pets", {"fido": {"legs": 4}, "felix": {"name": "Felix"}}), document
    ):
        return document


async def server(
    cases: Iterator[bytes], note: Callable[[bytes], None], saved: bytes, _: bytes
) -> dict[str, Any]:
    """Clients of either kind share a bridged room with one that sends the cases."""
    closed: Counter[str] = Counter()
    storage = MemoryRoomStorage()
    marks = 0
    async with (
        serving(storage=storage, bridge=[BRIDGED]) as running,
        Tables(running.url, "yjs") as one,
        Tables(running.url, "automerge") as two,
    ):
        provider = cast("AutomergeWebsocketProvider", two.provider)
        provider.document.apply_changes([saved])
        for number, case in enumerate(cases):
            note(case)
            async with connect(running.url, compression=None, ping_interval=None) as bad:
                await bad.send(_JOIN)
                await bad.send(case)
                await bad.send(b"")  # ends it in any case
                await bad.wait_closed()
                closed[str(bad.close_code)] += 1
            if number % _ROUND == _ROUND - 1:
                marks += 1
                two.store.set_cell("marks", "last", "number", marks)
                await two.flush()
                one.store.set_cell("marks", "other", "number", marks)
                await one.flush()
        room = running.documents.rooms.get(storage_name(DOCUMENT)) if running.documents else None
        assert room is not None
        await eventually(lambda: one.store.get_table("marks") == two.store.get_table("marks"))
        await eventually(lambda: provider.document.heads == room.document.heads)
        rows = (await storage.load(storage_name(DOCUMENT))).rows
        document = AutomergeDocument.from_rows(rows)
        whole = (
            document.heads == provider.document.heads == AutomergeDocument(document.save()).heads
            and len(one.store.get_table("marks")) == 2
        )
    return {"closed": closed, "wrong": [], "whole": whole}


async def provider(
    cases: Iterator[bytes], note: Callable[[bytes], None], saved: bytes, actor: bytes
) -> dict[str, Any]:
    """A provider whose document a Store is mirrored in, and a server that sends the cases."""
    closed: Counter[str] = Counter()
    wrong: list[str] = []
    done = asyncio.Event()

    async def handle(connection: Any, _request: object) -> None:
        try:
            await connection.recv()
            case = next(cases, None)
            if case is None:
                done.set()
                return
            note(case)
            await connection.send(_PEER)
            await connection.send(case)
            await connection.send(b"")
            while True:
                await connection.recv()
        except ConnectionClosedError as error:
            closed[str(error.code)] += 1

    def failed(error: Exception) -> None:
        if not isinstance(error, ProviderError | RemoteProtocolError | SyncTimeoutError):
            wrong.append(repr(error))

    def unmirrored(error: Exception) -> None:
        if not isinstance(error, WeftError):
            wrong.append(repr(error))

    store, document = Store(), AutomergeDocument(saved, actor=actor)
    with AutomergeMirror(store, document, on_error=unmirrored):
        async with (
            MemoryNetwork(handle) as network,
            AutomergeWebsocketProvider(
                document,
                "ws://memory",
                document_url(DOCUMENT),
                transport=network,
                backoff=AT_ONCE,
                on_error=failed,
                close_timeout=0.01,
            ),
        ):
            await done.wait()
        store.set_cell("marks", "last", "number", 1)
        document = AutomergeDocument(document.save())
        again = Store()
        with AutomergeMirror(again, document, on_error=unmirrored):
            whole = again.get_content() == store.get_content() == project(document)
    return {"closed": closed, "wrong": wrong[:5], "whole": whole}


def main(end: str, seed: str, count: int, case_file: Path) -> dict[str, Any]:
    """Try the cases at one end; tell what became of the connections."""
    random_ = random.Random(seed)
    saved = _content(random_.randbytes(16)).save()
    frames = _frames(saved, random_.randbytes(16))
    with case_file.open("wb", buffering=0) as last:

        def note(case: bytes) -> None:
            last.seek(0)
            last.truncate()
            last.write(case)

        run = {"server": server, "provider": provider}[end]
        return asyncio.run(run(_cases(seed, frames, count), note, saved, random_.randbytes(16)))


if __name__ == "__main__":
    faulthandler.enable()
    logging.disable(logging.WARNING)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    print(json.dumps(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]))))
