"""The faults of the network that pass by themselves: clogs, partitions, frozen nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft.testing.sim.plan import FaultRates

if TYPE_CHECKING:
    from weft.testing.sim.net import SimNet
    from weft.testing.sim.node import SimNode

__all__ = ["Weather"]


class Weather:
    """What holds messages back at the moment."""

    def __init__(self, net: SimNet, rates: FaultRates) -> None:
        self.rates = rates
        self._net = net
        self._clogged: dict[tuple[SimNode, SimNode], float] = {}
        self._cut: dict[tuple[SimNode, SimNode], float] = {}
        self._frozen: dict[SimNode, float] = {}

    def held(self, source: SimNode, target: SimNode) -> bool:
        """Whether messages in this direction wait."""
        now = self._net.clock.now
        return (
            self._clogged.get((source, target), 0.0) > now
            or self._cut.get((source, target), 0.0) > now
            or self._frozen.get(target, 0.0) > now
        )

    def cut(self, source: SimNode, target: SimNode) -> bool:
        """Whether nothing goes through in this direction."""
        return self._cut.get((source, target), 0.0) > self._net.clock.now

    def is_frozen(self, node: SimNode) -> bool:
        """Whether a node stands still."""
        return self._frozen.get(node, 0.0) > self._net.clock.now

    def clog(self, source: SimNode, target: SimNode, seconds: float) -> None:
        """Hold back one direction."""
        self._until(self._clogged, (source, target), seconds)

    def partition(self, pairs: list[tuple[SimNode, SimNode]], seconds: float) -> None:
        """Cut several directions."""
        for pair in pairs:
            self._until(self._cut, pair, seconds)

    def freeze(self, node: SimNode, seconds: float) -> None:
        """Have a node stand still. Its clock goes on."""
        now = self._net.clock.now
        self._frozen[node] = max(self._frozen.get(node, 0.0), now + seconds)
        self._net.clock.after(seconds, self._clear)

    def heal(self) -> None:
        """Good weather from now on: no faults, and everything held back arrives."""
        self.rates = FaultRates(delay=min(self.rates.delay, 0.05))
        self._clogged.clear()
        self._cut.clear()
        self._frozen.clear()
        self._clear()

    def _until(
        self, held: dict[tuple[SimNode, SimNode], float], pair: tuple[SimNode, SimNode], seconds: float
    ) -> None:
        held[pair] = max(held.get(pair, 0.0), self._net.clock.now + seconds)
        self._net.clock.after(seconds, self._clear)

    def _clear(self) -> None:
        for link in self._net.links:
            link.pump()
