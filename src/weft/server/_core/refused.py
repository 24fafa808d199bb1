"""What was refused by which bound: counted, and said in the log once in a while."""

from __future__ import annotations

import logging
import time
from collections import Counter

__all__ = ["RefusedCounts"]

_log = logging.getLogger("weft.server")

_QUIET_S = 10.0  # between two lines of log about one bound


class RefusedCounts:
    """Counts refusals of one server, by the names of the settings that bound what peers may do.

    Attributes:
        counts: How often each refused something, or held somebody up.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._quiet_until: dict[str, float] = {}

    def count(self, bound: str) -> None:
        """A bound has refused something of which the log hears elsewhere, or not at all."""
        self.counts[bound] += 1

    def note(self, bound: str, who: str, what: str) -> None:
        """A bound has refused something.

        Args:
            bound: The name of the setting.
            who: Whom.
            what: What becomes of it, for the log: at most every ten seconds for each bound.
        """
        self.count(bound)
        now = time.monotonic()
        if now >= self._quiet_until.get(bound, 0.0):
            self._quiet_until[bound] = now + _QUIET_S
            _log.warning("%s: %s (%s)", who, what, bound)
