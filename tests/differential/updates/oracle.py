"""Yjs in Node, asked to judge: many histories in a message, and Node at work while this process answers."""

from __future__ import annotations

import itertools
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from differential.updates.subject import Subject, answers

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from support.node import SyncJsPeer

__all__ = ["Finding", "History", "again", "findings", "report", "shrunk"]

History = dict[str, Any]
"""``{"seed": 7}``, with ``keep`` (the actions that happen) or ``updates`` (in place of random ones)."""

BATCH = 25


@dataclass(frozen=True)
class Finding:
    """A history about which an answer was wrong.

    Attributes:
        history: The history, to make it again.
        actions: How many actions the seed has.
        wrong: What was wrong, the first of it, as sentences.
    """

    history: History
    actions: int
    wrong: list[str]


def findings(
    js: SyncJsPeer, subject: Subject, histories: Iterable[History], *, batch: int = BATCH
) -> Iterator[Finding]:
    """Judge the answers about histories, and yield those of which something was wrong."""
    left = iter(histories)

    def make() -> tuple[list[History], Any]:
        batched = list(itertools.islice(left, batch))
        return batched, js.send("update.make", histories=batched)

    batched, making = make()
    made = js.receive(making)
    following, making = make()
    judged: Iterator[Finding] = iter(())
    while batched:
        answered, wrong = _answered(subject, batched, made)
        yield from judged
        yield from wrong
        # Node has said all that it was asked before it is told much: nobody writes to one who does not read.
        made_next = js.receive(making)
        asked = [(batched[at], made[at], answer) for at, answer in answered]
        judged = _judged(js, asked)
        batched, made = following, made_next
        following, making = make()
    yield from judged


def _answered(
    subject: Subject, histories: list[History], made: list[dict[str, Any]]
) -> tuple[list[tuple[int, dict[str, Any]]], list[Finding]]:
    answered, wrong = [], []
    for at, questions in enumerate(made):
        try:
            answered.append((at, answers(subject, questions)))
        except Exception:  # noqa: BLE001 - whatever is raised at real updates is a finding
            wrong.append(Finding(histories[at], questions["actions"], [traceback.format_exc(limit=-4)]))
    return answered, wrong


def _judged(js: SyncJsPeer, asked: list[tuple[History, dict[str, Any], dict[str, Any]]]) -> Iterator[Finding]:
    sent = js.send("update.judge", answers=[answer for _, _, answer in asked])

    def results() -> Iterator[Finding]:
        for (history, questions, _), wrong in zip(asked, js.receive(sent), strict=True):
            if wrong:
                yield Finding(history, questions["actions"], wrong)

    return results()


def again(js: SyncJsPeer, subject: Subject, history: History) -> list[str]:
    """Judge one history and return what was wrong."""
    return [sentence for finding in findings(js, subject, [history]) for sentence in finding.wrong]


def shrunk(js: SyncJsPeer, subject: Subject, finding: Finding) -> Finding:
    """Leave out of a history what is not needed for something to be wrong."""
    if "updates" in finding.history:
        kept, key = list(finding.history["updates"]), "updates"
    else:
        kept, key = list(finding.history.get("keep", range(finding.actions))), "keep"
    wrong = finding.wrong
    size = max(1, len(kept) // 2)
    while True:
        shorter = False
        for at in range(0, len(kept), size):
            rest = kept[:at] + kept[at + size :]
            if found := again(js, subject, {**finding.history, key: rest}):
                kept, wrong, shorter = rest, found, True
                break
        if not shorter and size == 1:
            return Finding({**finding.history, key: kept}, finding.actions, wrong)
        if not shorter:
            size = max(1, size // 2)


def report(finding: Finding) -> str:
    """Say what was wrong, and the command that makes it again."""
    seed, keep = finding.history["seed"], finding.history.get("keep")
    lines = [f"history {seed}, {finding.actions} actions:", *(f"  {sentence}" for sentence in finding.wrong)]
    if "updates" in finding.history:
        lines += [f"  {update.hex()}" for update in finding.history["updates"]]
    else:
        chosen = "" if keep is None else f" --keep {','.join(map(str, keep))}"
        lines.append(f"  again: PYTHONPATH=tests python -m differential.updates --seed {seed}{chosen}")
    return "\n".join(lines)
