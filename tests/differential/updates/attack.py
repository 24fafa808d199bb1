"""Logs that are given hostile updates, and Yjs, which has to read what they give out."""

from __future__ import annotations

import random
import traceback
from typing import TYPE_CHECKING, Any, NamedTuple

from differential.updates.hostile import hostile
from weft.documents import UpdateLog, compact_updates, diff_update, merge_updates, state_vector_of
from weft.errors import RemoteProtocolError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from support.node import SyncJsPeer

__all__ = ["Attacked", "attack"]


class Attacked(NamedTuple):
    """What came of hostile updates.

    Attributes:
        refused: How many were.
        taken: How many brought something.
        held: How many wait.
        wrong: What must not happen, as sentences.
    """

    refused: int
    taken: int
    held: int
    wrong: list[str]


class _Attack:
    """One log, first given honest updates, then hostile ones, then the rest of the honest."""

    def __init__(self, name: str, corpus: Sequence[bytes], known: int) -> None:
        self.name = name
        self.corpus = corpus
        self.log = UpdateLog.of(corpus[:known])
        self.given = [self.log.diff()]
        self.loads: list[tuple[str, list[bytes], dict[int, int]]] = []
        self.counts = [0, 0, 0]
        self.wrong: list[str] = []

    def _seen(self) -> tuple[Any, ...]:
        return self.log.diff(), self.log.state(), self.log.missing, self.log.state_vector()

    def add(self, update: bytes) -> None:
        before = self._seen()
        try:
            added = self.log.add(update)
        except RemoteProtocolError:
            self.counts[0] += 1
            if self._seen() != before:
                self.wrong.append(f"{self.name}: changed by a refused update: {update.hex()}")
            return
        except Exception:  # noqa: BLE001 - any other is a finding
            self.wrong.append(f"{self.name}: {traceback.format_exc(limit=-3)}\n{update.hex()}")
            return
        self.counts[1] += bool(added.updates)
        self.counts[2] += added.held
        if added.updates:
            self.given += added.updates
            self.loads.append((update.hex(), [self.log.diff()], self.log.state()))

    def functions(self, random_: random.Random, update: bytes) -> None:
        """What is no method of the log refuses alike, and what it makes of the rest can be read."""
        others = random_.sample(self.corpus, min(2, len(self.corpus)))
        try:
            made = [merge_updates([update, *others]), diff_update(update, state_vector_of(others[0]))]
            state_vector_of(update)
        except RemoteProtocolError:
            return
        except Exception:  # noqa: BLE001 - any other is a finding
            self.wrong.append(f"{self.name}: {traceback.format_exc(limit=-3)}\n{update.hex()}")
            return
        self.loads += [(f"functions {update.hex()}", [result], {}) for result in made]

    def end(self) -> None:
        self.loads.append(("all that was given on", self.given, self.log.state()))
        for gc in (True, False):
            try:
                compacted = compact_updates(self.given, gc=gc)
            except Exception:  # noqa: BLE001 - any is a finding
                self.wrong.append(f"{self.name}: {traceback.format_exc(limit=-3)}")
                continue
            if compacted is not None:
                self.loads.append((f"compacted, gc={gc}", [compacted.snapshot], self.log.state()))


def attack(js: SyncJsPeer, seed: str, *, histories: int, updates: int) -> Attacked:
    """Give hostile updates to logs of honest ones, and have Yjs read what they answer."""
    random_ = random.Random(seed)
    attacks = []
    for questions in js(
        "update.make", histories=[{"seed": random_.randrange(2**31)} for _ in range(histories)]
    ):
        corpus = questions["updates"]
        one = _Attack(f"history {questions['seed']}", corpus, random_.randint(1, len(corpus)))
        for update in hostile(random_, corpus, updates):
            one.add(update)
            one.functions(random_, update)
        for update in corpus:
            one.add(update)
        one.end()
        attacks.append(one)
    wrong = [sentence for one in attacks for sentence in one.wrong]
    for one in attacks:
        loaded = js("update.load", lists=[updates for _, updates, _ in one.loads])
        for (what, _, state), result in zip(one.loads, loaded, strict=True):
            clocks = ",".join(f"{client}:{clock}" for client, clock in sorted(state.items()) if clock)
            only_read = what.startswith("functions")
            if "error" in result or (not only_read and (result["waits"] or result["state"] != clocks)):
                wrong.append(f"{one.name}: log has {clocks}, Yjs {result}: {what}")
    refused, taken, held = (sum(column) for column in zip(*(one.counts for one in attacks), strict=True))
    return Attacked(refused, taken, held, wrong)
