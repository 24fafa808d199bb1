"""Who else is here, with Python and JavaScript peers: one form over both protocols' ways."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

import weft
from support.live import until
from support.servers import serving
from support.wire import ABSENT
from weft.facade import Cursor, Presence

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from support.node import JsPeer
    from weft.server import Server

ADA = {"user": {"name": "Ada", "color": "#c33"}}


@pytest_asyncio.fixture
async def server() -> AsyncIterator[Server]:
    async with serving() as server:
        yield server


async def until_others(presence: Presence, condition: Callable[[dict[str, Any]], bool]) -> None:
    def hear(changed: Any) -> Any:
        ends = [listen(changed) for listen in (presence.on_join, presence.on_leave, presence.on_change)]
        return lambda: [end() for end in ends]

    await until(lambda: condition(dict(presence.others)), hear, "the others")


@pytest.mark.parametrize("scheme", ["", "automerge+"])
async def test_who_comes_moves_and_leaves(server: Server, scheme: str) -> None:
    address = f"{scheme}{server.url}" + ("" if scheme else "/farm")
    async with weft.connect(address) as here:
        told: list[tuple[str, str, Any]] = []
        presence = here.presence
        assert here.presence is presence
        presence.on_join(lambda id_, state: told.append(("join", id_, dict(state))))
        presence.on_change(lambda id_, state: told.append(("change", id_, dict(state))))
        presence.on_leave(lambda id_, state: told.append(("leave", id_, dict(state))))
        here.set_value("v", 1)  # for an empty Automerge document nobody can ask
        await here.sync.flush(timeout=20)
        async with weft.connect(here.sync.address) as there:
            mine = there.presence.me
            mine.update(ADA)
            assert there.presence.me == ADA
            await until_others(presence, lambda others: list(others.values()) == [ADA])
            (ada,) = presence.others
            assert ada == there.presence.id
            there.presence.set_cursor("pets", "fido", "price")
            await until_others(presence, lambda others: bool(presence.cursors))
            assert presence.cursors == {ada: Cursor("pets", "fido", "price")}
            del mine["user"]
            await until_others(presence, lambda others: "user" not in others[ada])
            there.presence.clear_cursor()
            await until_others(presence, lambda others: not presence.cursors)
            there.presence.me = {"lamp": 1}
            await until_others(presence, lambda others: others[ada].get("lamp") == 1)
            with pytest.raises((TypeError, ValueError)):
                mine["lamp"] = object()
            assert dict(mine)["lamp"] == 1
            with pytest.raises(TypeError, match="an id, as str"):
                there.presence.set_cursor("pets", 7)  # type: ignore[arg-type]
        await until_others(presence, lambda others: not others)
        assert told[0] == ("join", ada, told[0][2])
        assert told[-1][:2] == ("leave", ada)
        assert {kind for kind, *_ in told[1:-1]} == {"change"}


@pytest.mark.interop
async def test_javascript_peers_see_it_as_awareness(server: Server, js_peer: JsPeer) -> None:
    js = (await js_peer("doc.create", name="js"))["clientId"]
    await js_peer("socket.connect", name="js", url=server.url, room="farm")
    await js_peer("awareness.set", name="js", state={"user": {"name": "Ben"}, "cursor": {"table": "pets"}})
    async with weft.connect(f"{server.url}/farm") as store:
        store.presence.me["user"] = {"name": "Ada"}
        store.presence.set_cursor("pets", "fido")
        mine = {"user": {"name": "Ada"}, "cursor": {"table": "pets", "row": "fido"}}
        await js_peer("awareness.wait", name="js", clientId=int(store.presence.id), equals=mine)
        await until_others(store.presence, lambda others: str(js) in others)
        assert store.presence.cursors == {str(js): Cursor("pets")}
        await js_peer("awareness.set", name="js", state={"cursor": {"anchor": 1, "head": 2}})
        await until_others(store.presence, lambda others: "user" not in others[str(js)])
        assert store.presence.cursors == {}  # another application's
        store.presence.me.clear()
        await js_peer("awareness.wait", name="js", clientId=int(store.presence.id), equals=ABSENT)


@pytest.mark.interop
async def test_javascript_peers_see_it_as_automerge_repos_presence(server: Server, js_peer: JsPeer) -> None:
    async with weft.connect(f"automerge+{server.url}") as store:
        store.presence.me["user"] = {"name": "Ada"}
        await store.sync.flush(timeout=20)
        url = store.sync.address.partition("#")[2]
        await js_peer("repo.create", name="repo")
        await js_peer("repo.connect", name="repo", url=server.url)
        store.set_cell("t", "r", "c", 1)
        await store.sync.flush(timeout=20)
        await js_peer("repo.find", name="js", repo="repo", url=url)
        await js_peer(
            "presence.start", name="js", state={"cursor": {"table": "t", "row": "r"}}, heartbeatMs=200
        )
        await until_others(store.presence, lambda others: len(others) == 1)
        assert list(store.presence.cursors.values()) == [Cursor("t", "r")]
        await js_peer("presence.wait", name="js", equals={store.presence.id: {"user": {"name": "Ada"}}})


async def test_the_others_are_gone_with_the_connection(server: Server) -> None:
    async with weft.connect(f"{server.url}/farm") as here, weft.connect(f"{server.url}/farm") as there:
        there.presence.me["user"] = "Ada"
        await until_others(here.presence, lambda others: len(others) == 1)
        left = asyncio.Event()
        here.presence.on_leave(lambda id_, state: left.set())
        assert here.sync.provider is not None
        await here.sync.provider.disconnect()
        await asyncio.wait_for(left.wait(), 20)
        assert here.presence.others == {}
        assert repr(here.presence) == f"<Presence {here.presence.id} and 0 others>"
        assert repr(there.presence.me) == "MyState({'user': 'Ada'})"
