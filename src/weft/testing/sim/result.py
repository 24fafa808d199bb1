"""What comes of a run: counts, a result, or a failure that says how to see it again."""

from __future__ import annotations

import traceback
from collections import Counter
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weft.testing.sim.plan import SimPlan

__all__ = ["SHOWN", "SimFailure", "SimResult", "SimStats", "Violation", "with_place"]

SHOWN = 30  # lines of the trace in a failure


class Violation(AssertionError):  # noqa: N818 - it says what is wrong; SimFailure is the error around it
    """A promise was broken.

    Attributes:
        rule: Which one, in a word or two; a shrunk schedule has to break the same.
    """

    def __init__(self, rule: str, text: str) -> None:
        super().__init__(f"{rule}: {text}")
        self.rule = rule


@dataclass(slots=True)
class SimStats:
    """What happened in a run, or in many.

    Attributes:
        edits: Edits made.
        sent: Messages sent.
        delivered: Messages that arrived.
        lost: Messages that did not.
        faults: By kind.
        crashes: Nodes that lost their memory.
        connections: Connections made.
        breaks: Connections that ended.
        reconnects: Connections made by a link that had one before.
        flushes: Acknowledgements that peers have seen.
        forgiven: Lost cells that the one known limit of the nested layout explains; see docs/testing.md.
    """

    edits: int = 0
    sent: int = 0
    delivered: int = 0
    lost: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    crashes: int = 0
    connections: int = 0
    breaks: int = 0
    reconnects: int = 0
    flushes: int = 0
    forgiven: int = 0

    def add(self, other: SimStats) -> None:
        """Count another run in."""
        for field_ in fields(self):
            if field_.name != "faults":
                setattr(self, field_.name, getattr(self, field_.name) + getattr(other, field_.name))
        self.faults.update(other.faults)

    def __str__(self) -> str:
        faults = " ".join(f"{kind}={count}" for kind, count in sorted(self.faults.items()))
        return (
            f"{self.edits} edits, {self.delivered} of {self.sent} messages delivered, "
            f"{self.crashes} crashes, {self.reconnects} reconnects, {self.flushes} flushes, "
            f"{self.forgiven} forgiven, faults: {faults or 'none'}"
        )


@dataclass(frozen=True, slots=True)
class SimResult:
    """A run in which every promise was kept.

    Attributes:
        plan: What was drawn from the seed.
        stats: What happened.
        digest: Hash over everything that happened, in the terms of the simulation and not in bytes on the
            wire; equal for equal seeds, in any process.
        time: Virtual seconds that passed.
    """

    plan: SimPlan
    stats: SimStats
    digest: str
    time: float

    def __str__(self) -> str:
        return (
            f"seed {self.plan.seed}: {self.plan}\n{self.stats}\n"
            f"{self.time:.1f} virtual seconds, digest {self.digest}"
        )


class SimFailure(AssertionError):  # noqa: N818 - pytest and its readers know it as a failure
    """A promise was broken, or something raised.

    Attributes:
        plan: What was drawn from the seed.
        rule: Which promise, in a word or two.
        reason: What was found.
        command: Runs it again.
        trace: The last things that happened.
    """

    def __init__(self, plan: SimPlan, rule: str, reason: str, command: str, trace: Sequence[str]) -> None:
        super().__init__(plan, rule, reason, command, trace)
        self.plan = plan
        self.rule = rule
        self.reason = reason
        self.command = command
        self.trace = tuple(trace)

    def __str__(self) -> str:
        lines = "\n".join(f"    {line}" for line in self.trace[-SHOWN:])
        return f"seed {self.plan.seed}: {self.plan}\n{self.reason}\n  last:\n{lines}\n  again: {self.command}"


def with_place(error: Exception) -> str:
    """An error of the code under test, and the innermost lines that led to it."""
    frames = traceback.extract_tb(error.__traceback__)[-4:]
    places = "".join(f"\n  {frame.filename}:{frame.lineno} {frame.line}" for frame in frames)
    return f"{type(error).__name__}: {error}{places}"
