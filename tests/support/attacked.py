"""A process with little memory that is given updates which once stopped or ended it.

Run with the name of the attack and ``document`` or ``provider``. It prints what became of it, and exits with
0 when it can go on working.
"""

from __future__ import annotations

import asyncio
import faulthandler
import resource
import sys
from functools import cache
from typing import Any

from pycrdt import Map
from websockets.asyncio.server import ServerConnection, serve

from support.attacks import KEPT, REFUSED
from support.ywriter import key_item, section, update
from weft.documents.yjs import YDocument, create_doc
from weft.errors import RemoteProtocolError
from weft.protocols.ysync.messages import step1_message, step2_message, update_message
from weft.providers import Backoff, YWebsocketProvider

__all__ = ["ATTACKS", "HONEST"]

_SPACE = 512 * 1024 * 1024

# What happened to a document without a log in front of it stands behind each.
ATTACKS = {
    # Two that wait for each other's clients: released again and again, for ever.
    "circle": (
        "0102030004010874696e796261736504f09f9880c8010002030275027702c3a974035234257c2eef1659020201020202011001",
        "0103030004010874696e7962617365016184010104f09f9880480103017cc12361df00",
    ),
    # A child that comes before its parent, which is a text: refused at release, and stored.
    "child": ("0101030108000300017d0500", "0101030004010161017800"),
    # Parents that are no types, ids used twice: the process ended.
    "parents": (
        "020603000901016d046775696475027601007502797875027e7601007e0701016d030364697621010178016105470300010801016d047ca0326c5a7cf47267ee7403c2433f77095f5f70726f746f5f5f470301040301012800ffffffff0f02016102740392936877016105000301035b315d00010203011302ffffffff07010c01",
        "030c03000901016d04677569647604086175746f4c6f6164790a73686f756c644c6f6164790267637808656e636f64696e677d010701016d030364697621010178016103a86502047601007bd12d98b6217ae0be7601016b7403022cfa75027f79750275027c2a93b7197403c5637d75027974032ca9590003470301040a0900030a052801016d00017e0a450401000668c3a96c6c6f0202000a01616602010501002401016d016b09787878787878787878a101080aa401121f787878787878787878787878787878787878787878787878787878787878780a0361012b02040102090a350202010101030302030903160365010201",
        "01030305846500327878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878e4ffffffff0700020032787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787887010304026601060102010a0a",
    ),
    # 40,000 clients that write one key: 31 s.
    "crowd": (),
    # 100,000 types in each other, 500 an update: the process ended.
    "nested_types": (),
    # 5,000 that wait for each other and are released as one long run: 600 MB.
    "backwards": (),
}
HONEST = "what an honest peer wrote"


@cache
def _updates(name: str) -> list[bytes]:
    if name == "crowd":
        return [update(*(section(100_000 - client, 0, key_item("k")) for client in range(40_000)))]
    if not ATTACKS[name]:
        return list({**KEPT, **REFUSED}[name]())
    return [bytes.fromhex(text) for text in ATTACKS[name]]


def _honest() -> bytes:
    doc = create_doc()
    doc.get("m", type=Map)["honest"] = HONEST
    return doc.get_update()


def attack_document(name: str) -> None:
    doc = create_doc()
    document = YDocument.of(doc)
    for data in _updates(name):
        try:
            document.apply(data, origin="attacker")
        except RemoteProtocolError as error:
            print(error)
    document.apply(_honest(), origin="honest")
    _check(doc)


async def attack_provider(name: str) -> None:
    """The provider meets the attacker, which ends, and then an honest server at the same address."""
    is_honest = asyncio.Event()
    sent = asyncio.Event()

    async def answer(socket: ServerConnection) -> None:
        await socket.send(step1_message(b"\0"))
        if is_honest.is_set():
            await socket.send(step2_message(_honest()))
        else:
            for data in _updates(name):
                await socket.send(update_message(data))
            await socket.send(step2_message(b"\0\0"))
            sent.set()
        async for _ in socket:
            pass

    errors: list[Exception] = []
    doc = create_doc()
    async with serve(answer, "127.0.0.1", 0) as server:
        url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        backoff = Backoff(initial=0.01, maximum=0.01)
        async with YWebsocketProvider(doc, url, "room", on_error=errors.append, backoff=backoff) as provider:
            await sent.wait()
            ended = asyncio.Event()
            provider.add_status_listener(lambda status, _: ended.set() if status == "closed" else None)
            try:
                async with asyncio.timeout(None if name in REFUSED or name in {"child", "crowd"} else 1):
                    await ended.wait()
            except TimeoutError:
                pass
            is_honest.set()
            await provider.disconnect()
            await provider.connect()
            await provider.wait_synced(10)
            _check(doc)
            for error in errors:
                print(error)


def _check(doc: Any) -> None:
    assert doc.get("m", type=Map)["honest"] == HONEST
    copy = create_doc()
    copy.apply_update(doc.get_update())
    assert copy.get("m", type=Map)["honest"] == HONEST


if __name__ == "__main__":
    faulthandler.enable()
    resource.setrlimit(resource.RLIMIT_AS, (_SPACE, _SPACE))
    attack, target = sys.argv[1:]
    if target == "document":
        attack_document(attack)
    else:
        asyncio.run(attack_provider(attack))
