"""How much may come in a second: token buckets, with the time as an argument.

A bucket is one number, the time at which it will be full again; what is taken moves it into the future. What
has come is counted afterwards, once for each read of a socket, so that a bucket may be in debt: nothing more
is read until that is repaid. Nobody who stays below the rates waits, nor who has saved up for a burst.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weft.limits import ServerLimits

__all__ = ["BYTES", "FRAMES", "JOINS", "MESSAGES", "PINGS", "QUESTIONS", "RATES", "TIME", "Meter", "meter_of"]

BYTES, FRAMES, MESSAGES, PINGS, TIME, QUESTIONS, JOINS = range(7)

# The settings by their place in a meter; what a read of a socket brings comes first.
RATES = ("byte_rate", "frame_rate", "message_rate", "ping_rate", "time_share", "question_rate", "join_rate")

# Seconds that a client may have to wait for what others of its user or address took.
_SHARED_S = 1.0


class Meter:
    """What one connection, user or address has taken of its rates.

    Args:
        rates: Units a second, in the order of :data:`RATES`; 0 for what is not bounded.
        bursts: Seconds for which each may be saved up.
        max_owed: Seconds that may be owed: where several take of one meter, those who took little wait for
            the others.

    Attributes:
        exceeded: The place of the rate that what was taken last exceeds most.
    """

    __slots__ = ("_bursts", "_costs", "_full_at", "_max_owed", "exceeded")

    def __init__(
        self, rates: Sequence[float], bursts: Sequence[float], *, max_owed: float = float("inf")
    ) -> None:
        self._max_owed = max_owed
        self._costs = [1 / rate if rate else 0.0 for rate in rates]
        self._bursts = bursts
        self._full_at = [float("-inf")] * len(self._costs)
        self.exceeded = 0

    def take(self, amounts: Sequence[float], now: float) -> float:
        """Take what has come.

        Args:
            amounts: Of the first rates, in order; 0 for none.
            now: Seconds, monotonic.

        Returns:
            Seconds until nothing is owed; not above zero where nothing is.
        """
        most = float("-inf")
        for kind, amount in enumerate(amounts):
            if amount:
                owed = self.take_one(kind, amount, now)
                if owed > most:
                    most, exceeded = owed, kind
        if most > 0:
            self.exceeded = exceeded
        return most

    def take_one(self, kind: int, amount: float, now: float) -> float:
        """Take of one rate, likewise."""
        burst = self._bursts[kind]
        at = max(self._full_at[kind], now) + amount * self._costs[kind]
        self._full_at[kind] = at = min(at, now + burst + self._max_owed)
        return at - now - burst

    def owed(self, kind: int, now: float) -> float:
        """Seconds until something may be taken of a rate; not above zero where it may."""
        return self._full_at[kind] - now - self._bursts[kind]

    def is_full(self, now: float) -> bool:
        """Whether it is as if nothing had ever been taken."""
        return max(self._full_at) <= now


def meter_of(limits: ServerLimits, scale: float | None = None) -> Meter:
    """A meter for one connection, or for a user or an address that may have as much as several.

    The time that messages take is bounded for each connection alone, as one thread serves all; and so is what
    brings nothing, as who sends too much of it is let go.
    """
    rates: list[float] = [getattr(limits, name) * (scale or 1) for name in RATES]
    bursts = [limits.rate_burst] * len(RATES)
    bursts[TIME] = limits.time_burst
    if scale is None:
        return Meter(rates, bursts)
    rates[TIME] = rates[PINGS] = 0.0
    return Meter(rates, bursts, max_owed=_SHARED_S)
