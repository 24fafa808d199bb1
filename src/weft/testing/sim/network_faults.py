"""The faults of the network that pass by themselves: clogs, partitions, frozen nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from weft.testing.sim.plan import FaultRates

if TYPE_CHECKING:
    from collections.abc import Callable

    from weft.testing.sim.scheduler import Scheduler

__all__ = ["NetworkFaults"]

K = TypeVar("K")


class NetworkFaults:
    """What holds messages back at the moment, and how often messages are lost, late or repeated.

    Nodes are told by their names.

    Args:
        clock: Virtual time.
        rates: Until everything is healed.
        passed: Called when a fault is over, to deliver what it has held back.
    """

    def __init__(self, clock: Scheduler, rates: FaultRates, passed: Callable[[], None]) -> None:
        self.rates = rates
        self._clock = clock
        self._passed = passed
        self._clogged: dict[tuple[str, str], float] = {}
        self._cut: dict[tuple[str, str], float] = {}
        self._frozen: dict[str, float] = {}

    def is_held(self, source: str, target: str) -> bool:
        """Whether messages in this direction wait."""
        return (
            self._clogged.get((source, target), 0.0) > self._clock.now
            or self.is_cut(source, target)
            or self.is_frozen(target)
        )

    def is_cut(self, source: str, target: str) -> bool:
        """Whether nothing goes through in this direction."""
        return self._cut.get((source, target), 0.0) > self._clock.now

    def is_frozen(self, node: str) -> bool:
        """Whether a node stands still."""
        return self._frozen.get(node, 0.0) > self._clock.now

    def clog(self, source: str, target: str, seconds: float) -> None:
        """Hold back one direction."""
        self._extend(self._clogged, (source, target), seconds)

    def partition(self, pairs: list[tuple[str, str]], seconds: float) -> None:
        """Cut several directions."""
        for pair in pairs:
            self._extend(self._cut, pair, seconds)

    def freeze(self, node: str, seconds: float) -> None:
        """Have a node stand still. Its clock goes on."""
        self._extend(self._frozen, node, seconds)

    def heal(self) -> None:
        """No faults from now on, and everything held back arrives."""
        self.rates = FaultRates(delay=min(self.rates.delay, 0.05))
        self._clogged.clear()
        self._cut.clear()
        self._frozen.clear()
        self._passed()

    def _extend(self, faults: dict[K, float], what: K, seconds: float) -> None:
        faults[what] = max(faults.get(what, 0.0), self._clock.now + seconds)
        self._clock.after(seconds, self._passed)
