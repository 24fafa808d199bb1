"""What the servers are asked to do, and the lines that come of it, with the figures to reach."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from benchmarks._table import Line

if TYPE_CHECKING:
    from benchmarks._server_peers import Contender

__all__ = ["CASES", "Case"]

Kind = Literal["fanout", "join", "idle", "ack", "growth"]


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure that the load generator tells.

    Attributes:
        key: Its name there.
        text: What it is, on the line.
        unit: Its unit.
        at_most: Largest ratio to each peer's that meets the target.
        below: Absolute target.
        above: Absolute target where more is better.
    """

    key: str
    text: str
    unit: str
    at_most: dict[str, float] = field(default_factory=dict)
    below: float | None = None
    above: float | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """One thing to do, with each server.

    Attributes:
        name: For ``--only`` and for the lines.
        kind: Of interop/bench_server.mjs.
        asked: Sizes, by the names that it has for them.
        quick_sizes: The same for ``--quick``.
        figures: Which to show.
        storing: Peers with their storage where they have one that keeps up.
        acknowledging: Whether a line says what an answer of the peer means.
        quick: Whether ``--quick`` does it.
        rounds: How often it is done in a full run.
    """

    name: str
    kind: Kind
    asked: dict[str, Any]
    quick_sizes: dict[str, Any]
    figures: tuple[Figure, ...]
    storing: bool = False
    acknowledging: bool = False
    quick: bool = True
    rounds: int = 1

    def sizes(self, files: int) -> dict[str, Any]:
        """The sizes, fewer rooms where the machine does not allow the sockets for all."""
        if self.kind != "idle":
            return self.asked
        return {**self.asked, "rooms": min(self.asked["rooms"], (files - 200) // self.asked["each"])}

    def order(self, run: dict[str, float]) -> float:
        """What makes one run better than another, less being better."""
        return next(run[key] for key in ("p99", "ms", "client", "disk", "peak", "generator") if key in run)

    def lines(
        self, ours: dict[str, float], peer: Contender | None, theirs: dict[str, float], note: str
    ) -> list[Line]:
        """The lines of weft beside one peer, or of weft alone."""
        found = []
        for figure in self.figures:
            if figure.key not in ours:
                continue
            found.append(
                Line(
                    f"{self.name}: {figure.text}{note}",
                    ours[figure.key],
                    "-" if peer is None else self._what(peer),
                    None if peer is None else theirs.get(figure.key),
                    at_most=None if peer is None else figure.at_most.get(peer.name),
                    below=figure.below,
                    above=figure.above,
                    unit=figure.unit,
                )
            )
        return found

    def _what(self, peer: Contender) -> str:
        if self.storing:
            return f"{peer.name}, {peer.stored or peer.stores}"
        return f"{peer.name}, {peer.acknowledges if self.acknowledging else peer.stores}"


_HOCUSPOCUS, _Y = "Hocuspocus 4.7", "y-websocket"


def _fanout(clients: int, writers: int, rate: int, *, quick: bool = False) -> Case:
    hard = (clients, writers, rate) == (200, 10, 100)
    eased = (clients, writers, rate) == (200, 10, 10)
    most = (clients - 1) * writers * rate
    cpu = {_HOCUSPOCUS: 0.6} if hard else {_HOCUSPOCUS: 0.7, _Y: 1.0} if eased else {}
    latency = {_HOCUSPOCUS: 1.0} if hard else {_HOCUSPOCUS: 1.0, _Y: 1.0} if eased else {}
    figures = (
        Figure("delivered", f"delivered of {most:,}", "/s", above=most * 0.99 if hard else None),
        Figure("p50", "latency, median", "ms", latency if hard else {}),
        Figure("p99", "latency, 99th percentile", "ms", latency),
        Figure("cpu", "processor", "%", cpu),
        Figure("peak", "peak memory", "MB", {_HOCUSPOCUS: 0.5} if hard else {}),
    )
    return Case(
        f"{clients} clients, {writers} x {rate}/s",
        "fanout",
        {"clients": clients, "writers": writers, "rate": rate, "seconds": 2.5, "warm": 0.5, "drain": 1.0},
        {"clients": 6, "writers": 2, "rate": 50, "seconds": 0.2, "warm": 0.1, "drain": 5.0},
        figures,
        quick=quick,
        rounds=2 if hard or eased else 1,
    )


CASES = (
    _fanout(200, 10, 100, quick=True),
    _fanout(200, 10, 10),
    Case(
        "50 joins of a 100,000-cell room",
        "join",
        {"cells": 100_000, "clients": 50},
        {"cells": 1000, "clients": 3},
        (
            Figure("ms", "until all have it", "ms", {_HOCUSPOCUS: 0.3, _Y: 0.3}),
            Figure("resident", "memory after", "MB", {_HOCUSPOCUS: 1.0, _Y: 1.0}),
            Figure("peak", "peak memory", "MB"),
        ),
    ),
    Case(
        "1,000 rooms of 3 idle clients",
        "idle",
        {"rooms": 1000, "each": 3, "seconds": 0.5},
        {"rooms": 3, "each": 3, "seconds": 0.1},
        (
            Figure("client", "memory of a client", "kB", below=15.0),
            Figure("room", "memory of a room", "kB", below=10.0),
            Figure("cpu", "processor", "%"),
        ),
    ),
    Case(
        "update to acknowledgement",
        "ack",
        {"count": 500},
        {"count": 20},
        (Figure("p50", "median", "ms"), Figure("p99", "99th percentile", "ms")),
        acknowledging=True,
    ),
    Case(
        "10,000 small writes",
        "growth",
        {"writes": 10_000},
        {"writes": 200},
        (
            Figure("perSecond", "acknowledged, 100 under way", "/s"),
            Figure("disk", "on disk", "kB"),
            Figure("compact", "on disk after an orderly end", "kB"),
        ),
        storing=True,
    ),
    _fanout(200, 1, 100),
    _fanout(50, 10, 100),
    _fanout(50, 1, 100),
    _fanout(200, 1, 10),
    _fanout(50, 10, 10),
    _fanout(50, 1, 10),
    Case(
        "10 clients, 1 x 500/s",
        "fanout",
        {"clients": 10, "writers": 1, "rate": 500, "seconds": 2.5, "warm": 0.5, "drain": 1.0},
        {},
        (
            Figure("loop", "event loop's processor for an update", "us"),
            Figure("p99", "latency, 99th percentile", "ms"),
        ),
        quick=False,
    ),
)
