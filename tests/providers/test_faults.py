"""Seeded bad weather: two servers, a document on each and one on both, with every fault the network has.

And cancellation at every step. Both run the real provider over the memory network.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING, Any

import pytest

from support.provided import AutomergePeer, YPeer
from support.reposerver import cells, id_of, put
from support.serverdouble import MemoryServing
from support.syncserver import Room
from weft.errors import ProviderError
from weft.limits import Limits
from weft.mirrors import AutomergeDocument
from weft.providers import Backoff

if TYPE_CHECKING:
    from support.provided import Provided
    from support.serverdouble import RoomDouble
    from weft.providers import DocHandle

    Protocol = type[YPeer | AutomergePeer]

AT_ONCE = Backoff(initial=1e-6, maximum=2e-6)
STEPS = 120


class Second:
    """A second document of an automerge-repo peer, which is added and removed while the weather goes on."""

    def __init__(self, peer: AutomergePeer) -> None:
        self.document = AutomergeDocument()
        self._provider = peer.provider
        self._handle: DocHandle | None = None

    def turn(self) -> None:
        """Add it, or remove it."""
        if self._handle is None:
            self._handle = self._provider.add(self.document, id_of("second"))
        else:
            self._handle.close()
            self._handle = None

    def add(self) -> None:
        if self._handle is None:
            self.turn()


each_protocol = pytest.mark.parametrize("protocol", [YPeer, AutomergePeer], ids=["yjs", "automerge"])


class Weather:
    """One seed's world."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.servings: list[MemoryServing[Any]] = []
        self.peers: list[tuple[Provided, int, int]] = []  # with their document and server
        self.seconds: list[Second] = []
        self.written: set[str] = set()
        self.second_written: set[str] = set()
        self.flushes: list[asyncio.Task[bool]] = []
        self.seen: Counter[str] = Counter()
        self.count = 0

    def write(self, where: Provided | RoomDouble, name: str) -> None:
        self.count += 1
        key = f"{name}.{self.count}"
        where.write(key, "x" * self.random.choice((1, 10, 300)))
        self.written.add(key)

    async def flush(self, which: int) -> bool:
        """Flush, and look whether the server has what this document had when it was asked."""
        peer, _, server = self.peers[which]
        had = set(peer.cells())
        try:
            await peer.provider.flush()
        except ProviderError:
            return False  # disconnected meanwhile, by our own doing
        missing = had - self.servings[server].server.room().content().keys()
        assert not missing, f"flushed without {missing}"
        return True

    async def step(self) -> None:
        draw = self.random
        action = draw.choices(
            ["write", "server writes", "flush", "drop", "goodbye", "hold", "release", "refuse", "admit",
             "pause", "resume", "leave", "connect", "state", "turn", "write second", "let go on"],
            [20, 4, 6, 4, 1, 3, 4, 1, 3, 2, 4, 1, 4, 2, 3, 5, 20],
        )[0]  # fmt: skip
        self.seen[action] += 1
        which = draw.randrange(len(self.peers))
        peer, doc, server = self.peers[which]
        serving = self.servings[server]
        links = serving.network.links[-3:]
        match action:
            case "write":
                for _ in range(draw.choice((1, 1, 5))):
                    self.write(peer, f"doc{doc}")
            case "server writes":
                self.write(serving.server.room(), f"server{server}")
            case "flush":
                self.flushes.append(asyncio.create_task(self.flush(which)))
            case "drop" if links:
                draw.choice(links).drop()
            case "goodbye":
                serving.network.drop_all(draw.choice((1000, 1001, 1012, 4500)))
            case "hold" if links:
                draw.choice(links).hold(*draw.choice(((), ("up",), ("down",))))
            case "release":
                for link in links:
                    link.release()
            case "refuse":
                serving.refuse(draw.choice((None, 503, 429)))
            case "admit":
                serving.admit()
            case "pause":
                serving.server.resumed.clear()
            case "resume":
                serving.server.resumed.set()
            case "leave":
                await peer.provider.disconnect()
            case "connect":
                await peer.provider.connect()
            case "state":
                say(peer, {"n": self.count})
            case "turn" if self.seconds:
                self.seconds[which].turn()
            case "write second" if self.seconds:
                self.second_written.add(f"second.{self.count}")
                put(self.seconds[which].document, f"second.{self.count}", "x")
        for _ in range(draw.choice((0, 0, 1, 3, 10))):
            self.seen["overflow"] += any(
                queue.forgot
                for some, _, _ in self.peers
                if (queue := some.provider._reconnect_loop.queue) is not None
            )
            await asyncio.sleep(0)

    async def heal(self) -> None:
        for serving in self.servings:
            serving.admit()
            serving.server.resumed.set()
            for link in serving.network.links:
                link.release()
        for second in self.seconds:
            second.add()
        for peer, _, _ in self.peers:
            await peer.provider.connect()
        # An update may have two hops to go, and a flush waits for one.
        for _ in range(3):
            for peer, _, _ in self.peers:
                await peer.provider.wait_synced()
                await peer.provider.flush()


def say(peer: Provided, state: dict[str, Any]) -> None:
    """Tell the others something that is not kept, in the way of the protocol."""
    if isinstance(peer, YPeer):
        peer.provider.set_local_state(state)
    elif isinstance(peer, AutomergePeer):
        peer.provider.broadcast(state)


async def run_seeds(protocol: Protocol, seeds: range) -> None:
    total: Counter[str] = Counter()
    for seed in seeds:
        try:
            total += await run_weather(protocol, seed)
        except BaseException as error:
            error.add_note(f"seed {seed}")
            raise
    # Weather that was fair proves nothing.
    assert total["flushed"] > len(seeds)
    assert total["connections"] > 4 * len(seeds)
    if protocol is YPeer:  # Automerge's changes wait in the document
        assert total["overflow"] > len(seeds)
    assert total["hold"] > 0


@each_protocol
async def test_nothing_is_lost_in_bad_weather_and_no_flush_lies(protocol: Protocol) -> None:
    await run_seeds(protocol, range(12))


@pytest.mark.long
@pytest.mark.timeout(3600)
@each_protocol
async def test_nothing_is_lost_in_a_season_of_bad_weather(protocol: Protocol) -> None:
    await run_seeds(protocol, range(12, 1000))


async def run_weather(protocol: Protocol, seed: int) -> Counter[str]:
    weather = Weather(seed)
    async with AsyncExitStack() as stack:
        for _ in range(2):
            serving: MemoryServing[Any] = await stack.enter_async_context(MemoryServing(protocol.Server()))
            serving.network._buffer = weather.random.choice((100, 2000, 1 << 16))
            if isinstance(room := serving.server.room(), Room):
                room.echo = weather.random.random() < 0.5
            weather.servings.append(serving)
        for doc, server in ((0, 0), (1, 1), (2, 0), (2, 1)):
            peer = protocol(
                weather.servings[server],
                document=next((other.document for other, same, _ in weather.peers if same == doc), None),
                backoff=AT_ONCE,
                random=weather.random.random,
                close_timeout=weather.random.choice((0.0, 0.01)),
                limits=Limits(max_outbound=weather.random.choice((500, 5000, 1 << 20))),
                on_error=lambda error: weather.seen.update([type(error).__name__]),
            )
            weather.peers.append((peer, doc, server))
            if isinstance(peer, AutomergePeer):
                weather.seconds.append(Second(peer))
            await stack.enter_async_context(peer)
        for _ in range(STEPS):
            await weather.step()
        await weather.heal()
        weather.seen["flushed"] = sum(await asyncio.gather(*weather.flushes))
        weather.seen["connections"] = sum(len(serving.network.links) for serving in weather.servings)
        contents = [peer.cells() for peer, _, _ in weather.peers]
        contents += [serving.server.room().content() for serving in weather.servings]
        assert [len(content) for content in contents] == [len(weather.written)] * 6
        assert contents[0].keys() == weather.written
        assert all(content == contents[0] for content in contents)
        seconds = [cells(second.document) for second in weather.seconds]
        # The two servers' second documents are not bridged: each has what its own peers wrote.
        for (_, _, server), second in zip(weather.peers, seconds, strict=bool(seconds)):
            assert second == weather.servings[server].server.room("second").content()
        assert set().union(*seconds) == weather.second_written
    return weather.seen


async def live(protocol: Protocol, serving: MemoryServing[Any], document: Any) -> None:
    """A life with every wait in it."""
    async with protocol(
        serving,
        document=document,
        params=fetch,
        backoff=AT_ONCE,
        close_timeout=0.01,
        on_error=lambda _: None,
    ) as peer:
        say(peer, {"name": "me"})
        await peer.provider.wait_synced()
        peer.write("one", "1")
        await peer.provider.flush()
        serving.network.drop_all()
        peer.write("two", "2")
        await peer.provider.flush()
        await peer.provider.disconnect()
        peer.write("three", "3")
        await peer.provider.connect()
        await peer.provider.wait_synced()


async def fetch() -> dict[str, str]:
    await asyncio.sleep(0)
    return {"token": "t"}


@each_protocol
@pytest.mark.parametrize("again", [None, 2])
async def test_a_life_may_be_cancelled_at_any_step(protocol: Protocol, again: int | None) -> None:
    ended = 0
    steps = 0
    while ended < 3:
        async with MemoryServing(protocol.Server()) as serving:
            others = asyncio.all_tasks()
            maker = protocol(serving)
            maker.provider.expects_connect = False
            document: Any = maker.document
            life = asyncio.create_task(live(protocol, serving, document))
            for _ in range(steps):
                await asyncio.sleep(0)
            ended += life.done()
            life.cancel()
            if again is not None:
                # A second cancellation while the first is being dealt with.
                for _ in range(again):
                    await asyncio.sleep(0)
                life.cancel()
            with suppress(asyncio.CancelledError):
                await life
            # Nothing of the provider's is left: no task, and no connection.
            left = {task.get_coro().__qualname__ for task in asyncio.all_tasks() - others}  # type: ignore[union-attr]
            assert left <= {"MemoryNetwork._serve", "ServerDouble._write"}
            server = serving.server
            room = server.room()
            await room.until(lambda server=server: not server.visits)  # type: ignore[misc]
            if isinstance(room, Room):
                assert room.awareness.states == {}
            # And the document can be used by another.
            async with protocol(serving, document=document) as peer:
                peer.write("after", "4")
                await peer.provider.flush()
                assert room.content() == peer.cells()
        steps += 1
    assert steps > 50
