"""Seeded bad weather: two servers, a document on each and one on both, with every fault the network has.

And cancellation at every step. Both run the real provider over the memory network.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from contextlib import AsyncExitStack, suppress
from typing import Any

import pytest
from pycrdt import Doc, Map

from support.serverdouble import MemoryServing
from support.syncserver import SyncServer
from weft.errors import ProviderError
from weft.limits import Limits
from weft.mirrors.ydoc import create_doc
from weft.providers import Backoff, YWebsocketProvider

AT_ONCE = Backoff(initial=1e-6, maximum=2e-6)
STEPS = 120


class Weather:
    """One seed's world."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.servings: list[MemoryServing[SyncServer]] = []
        self.docs: list[Doc[Any]] = [create_doc() for _ in range(3)]
        self.providers: list[tuple[YWebsocketProvider, int, int]] = []  # with their document and server
        self.written: set[str] = set()
        self.flushes: list[asyncio.Task[bool]] = []
        self.seen: Counter[str] = Counter()
        self.count = 0

    def write(self, doc: Doc[Any], name: str) -> str:
        self.count += 1
        key = f"{name}.{self.count}"
        doc.get("m", type=Map)[key] = "x" * self.random.choice((1, 10, 300))
        self.written.add(key)
        return key

    async def flush(self, which: int) -> bool:
        """Flush, and look whether the server has what this document had when it was asked."""
        provider, _, server = self.providers[which]
        had = set(provider.doc.get("m", type=Map).keys())
        try:
            await provider.flush()
        except ProviderError:
            return False  # disconnected meanwhile, by our own doing
        missing = had - self.servings[server].server.room().content().keys()
        assert not missing, f"flushed without {missing}"
        return True

    async def step(self) -> None:
        draw = self.random
        action = draw.choices(
            ["write", "server writes", "flush", "drop", "goodbye", "hold", "release", "refuse", "admit",
             "pause", "resume", "leave", "connect", "state", "let go on"],
            [20, 4, 6, 4, 1, 3, 4, 1, 3, 2, 4, 1, 4, 2, 20],
        )[0]  # fmt: skip
        self.seen[action] += 1
        which = draw.randrange(len(self.providers))
        provider, doc, server = self.providers[which]
        serving = self.servings[server]
        links = serving.network.links[-3:]
        match action:
            case "write":
                for _ in range(draw.choice((1, 1, 5))):
                    self.write(self.docs[doc], f"doc{doc}")
            case "server writes":
                self.write(serving.server.room().doc, f"server{server}")
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
                await provider.disconnect()
            case "connect":
                await provider.connect()
            case "state":
                provider.set_local_state({"n": self.count})
        for _ in range(draw.choice((0, 0, 1, 3, 10))):
            self.seen["overflow"] += any(
                outbox.forgot for p, _, _ in self.providers if (outbox := p._engine.outbox) is not None
            )
            await asyncio.sleep(0)

    async def heal(self) -> None:
        for serving in self.servings:
            serving.admit()
            serving.server.resumed.set()
            for link in serving.network.links:
                link.release()
        for provider, _, _ in self.providers:
            await provider.connect()
        # An update may have two hops to go, and a flush waits for one.
        for _ in range(3):
            for provider, _, _ in self.providers:
                await provider.wait_synced()
                await provider.flush()


async def run_seeds(seeds: range) -> None:
    total: Counter[str] = Counter()
    for seed in seeds:
        try:
            total += await run_weather(seed)
        except BaseException as error:
            error.add_note(f"seed {seed}")
            raise
    # Weather that was fair proves nothing.
    assert total["flushed"] > len(seeds)
    assert total["connections"] > 4 * len(seeds)
    assert total["overflow"] > len(seeds)
    assert total["hold"] > 0


async def test_nothing_is_lost_in_bad_weather_and_no_flush_lies() -> None:
    await run_seeds(range(12))


@pytest.mark.long
@pytest.mark.timeout(3600)
async def test_nothing_is_lost_in_a_season_of_bad_weather() -> None:
    await run_seeds(range(12, 1000))


async def run_weather(seed: int) -> Counter[str]:
    weather = Weather(seed)
    async with AsyncExitStack() as stack:
        for _ in range(2):
            serving = await stack.enter_async_context(MemoryServing(SyncServer()))
            serving.network._buffer = weather.random.choice((100, 2000, 1 << 16))
            serving.server.room().echo = weather.random.random() < 0.5
            weather.servings.append(serving)
        for doc, server in ((0, 0), (1, 1), (2, 0), (2, 1)):
            provider = YWebsocketProvider(
                weather.docs[doc],
                weather.servings[server].url,
                "room",
                transport=weather.servings[server].transport,
                backoff=AT_ONCE,
                random=weather.random.random,
                close_timeout=weather.random.choice((0.0, 0.01)),
                limits=Limits(max_outbound=weather.random.choice((500, 5000, 1 << 20))),
                on_error=lambda error: weather.seen.update([type(error).__name__]),
            )
            weather.providers.append((provider, doc, server))
            await stack.enter_async_context(provider)
        for _ in range(STEPS):
            await weather.step()
        await weather.heal()
        weather.seen["flushed"] = sum(await asyncio.gather(*weather.flushes))
        weather.seen["connections"] = sum(len(serving.network.links) for serving in weather.servings)
        contents = [dict(doc.get("m", type=Map).items()) for doc in weather.docs]
        contents += [serving.server.room().content() for serving in weather.servings]
        assert [len(content) for content in contents] == [len(weather.written)] * 5
        assert contents[0].keys() == weather.written
        assert all(content == contents[0] for content in contents)
    return weather.seen


async def live(serving: MemoryServing[SyncServer], doc: Doc[Any]) -> None:
    """A life with every wait in it."""
    shared = doc.get("m", type=Map)
    async with YWebsocketProvider(
        doc,
        serving.url,
        "room",
        transport=serving.transport,
        params=fetch,
        backoff=AT_ONCE,
        close_timeout=0.01,
        on_error=lambda _: None,
    ) as provider:
        provider.set_local_state({"name": "me"})
        await provider.wait_synced()
        shared["one"] = "1"
        await provider.flush()
        serving.network.drop_all()
        shared["two"] = "2"
        await provider.flush()
        await provider.disconnect()
        shared["three"] = "3"
        await provider.connect()
        await provider.wait_synced()


async def fetch() -> dict[str, str]:
    await asyncio.sleep(0)
    return {"token": "t"}


@pytest.mark.parametrize("again", [None, 2])
async def test_a_life_may_be_cancelled_at_any_step(again: int | None) -> None:
    ended = 0
    steps = 0
    while ended < 3:
        async with MemoryServing(SyncServer()) as serving:
            others = asyncio.all_tasks()
            doc = create_doc()
            life = asyncio.create_task(live(serving, doc))
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
            assert left <= {"MemoryNetwork._serve", "SyncServer._write"}
            room = serving.server.room()
            await room.until(lambda room=room: not room.visits)  # type: ignore[misc]
            assert room.awareness.states == {}
            # And the document can be used by another.
            doc.get("m", type=Map)["after"] = "4"
            async with YWebsocketProvider(doc, serving.url, "room", transport=serving.transport) as provider:
                await provider.flush()
                assert room.content() == dict(doc.get("m", type=Map).items())
        steps += 1
    assert steps > 50
