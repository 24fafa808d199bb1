"""y-websocket clients in Node that edit at random and cut emoji, on a server that is killed meanwhile.

Whatever they do to it, everybody ends with what a plain Yjs relay would have given them: a document of Yjs
that is given the same updates in the order in which they were made.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support.serving import WeftServe

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from support.node import JsPeer

pytestmark = [pytest.mark.interop, pytest.mark.timeout(180)]

# Compacts when a few rows have come, so that it does at any moment of a test.
COMPACTING = (str(Path(__file__).parents[1] / "support" / "crash_server.py"), "compacting")
BASE = "x😀y🔴🟢"


class Served:
    """A server process that is killed and started again on its port and its database."""

    def __init__(self, path: Path, program: tuple[str, ...] = COMPACTING) -> None:
        self._path, self._program = path, program
        self.server = WeftServe(path, program=program)

    @property
    def url(self) -> str:
        return self.server.url

    def restart(self, *, kill: bool) -> None:
        port = self.server.port
        with self.server:
            if kill:
                self.server.kill()
        self.server = WeftServe(self._path, port=port, program=self._program)

    def __enter__(self) -> Served:
        return self

    def __exit__(self, *error: object) -> None:
        self.server.__exit__(None, None, None)


async def settle(js: JsPeer, room: str) -> None:
    """Wait until everybody has the same, and compare it with the relay's."""
    await js("live.wait", room=room, timeout=60)
    findings = await js("live.judge", room=room, timeout=60)
    assert not findings, "\n".join(findings)


async def check_newcomers(js: JsPeer, newcomer: JsPeer, url: str, room: str, wanted: str) -> None:
    """Who comes now, from this process or another, sees exactly what the writers see."""
    for gc in (True, False):
        await js("live.join", name=f"late {gc}", url=url, room=room, gc=gc)
    await settle(js, room)
    await newcomer("live.join", name="alone", url=url, room=room)
    await newcomer("socket.wait", name="alone", condition="synced")
    content = await newcomer("live.seen", name="alone")
    assert content.split("\n") == wanted.split("\n")[: content.count("\n") + 1]
    for gc in (True, False):
        await js("live.leave", name=f"late {gc}")
    await newcomer("live.leave", name="alone")


@pytest.mark.parametrize("seed", range(4))
async def test_random_edits_of_everything_while_clients_come_and_go_and_the_server_is_killed(
    tmp_path: Path, js_peer: JsPeer, new_js_peer: Callable[[], Any], seed: int
) -> None:
    rng = random.Random(seed)
    room = f"random {seed}"
    with Served(tmp_path / "weft.sqlite3") as served:
        names, offline = ["a", "b", "c"], set[str]()
        for name in names:
            await js_peer("live.join", name=name, url=served.url, room=room, gc=rng.random() < 0.5)
        for turn in range(24):
            for name in names:
                if rng.random() < 0.8:
                    await js_peer("live.edit", name=name, seed=seed * 1000 + turn, count=rng.randint(1, 12))
            name = rng.choice(names)
            match rng.randrange(8):
                case 0:
                    await js_peer("socket.cut", name=name)
                case 1:
                    offline.add(name)
                    await js_peer("socket.disconnect", name=name)
                case 2:
                    offline.discard(name)
                    await js_peer("socket.reconnect", name=name)
                case 3 if len(names) < 6:
                    names.append(f"joined {turn}")
                    await js_peer("live.join", name=names[-1], url=served.url, room=room)
                case 4:
                    served.restart(kill=rng.random() < 0.7)
                case _ if name not in offline:
                    await js_peer("socket.wait", name=name, condition="synced")
        for name in names:
            await js_peer("socket.reconnect", name=name)
        await settle(js_peer, room)
        wanted = await js_peer("live.seen", name="a")
        newcomer = await new_js_peer()
        await check_newcomers(js_peer, newcomer, served.url, room, wanted)
        served.restart(kill=False)  # a room is compacted when its last client has left
        await check_newcomers(js_peer, newcomer, served.url, room, wanted)


async def test_emoji_cut_at_every_place_while_others_join_and_the_server_is_killed(
    tmp_path: Path, js_peer: JsPeer, new_js_peer: Callable[[], Any]
) -> None:
    room = "cuts"
    with Served(tmp_path / "weft.sqlite3") as served:
        for name in ("a", "b", "c"):
            await js_peer("live.join", name=name, url=served.url, room=room, gc=name != "b")
        count = await js_peer("live.cut", name="a", step="write", base=BASE)
        await settle(js_peer, room)
        # One cuts, another who does not know of it edits around the same place; the server is killed under
        # them, and somebody joins between the cuts.
        await js_peer("socket.disconnect", name="c")
        third = count // 3
        for part in range(3):
            span = {"from": part * third, "to": count if part == 2 else (part + 1) * third}
            await js_peer("live.cut", name="b", step="cut", base=BASE, **span)
            await js_peer("live.cut", name="c", step="meanwhile", base=BASE, **span)
            await js_peer("live.join", name=f"joined {part}", url=served.url, room=room)
            served.restart(kill=part != 1)
            await js_peer("live.cut", name="a", step="after", base=BASE, **span)
        await js_peer("socket.reconnect", name="c")
        await settle(js_peer, room)
        wanted = await js_peer("live.seen", name="a")
        newcomer = await new_js_peer()
        served.restart(kill=True)
        await check_newcomers(js_peer, newcomer, served.url, room, wanted)
