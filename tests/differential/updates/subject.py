"""What is judged: a log of updates and four functions, and what they answer about one history."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from weft.documents.compaction import Compacted

__all__ = ["Log", "Subject", "answers", "weft_subject"]


class Log(Protocol):
    """The part of :class:`weft.documents.UpdateLog` that is judged."""

    def add(self, update: bytes) -> Any:
        """Take in one update."""

    def diff(self, state_vector: bytes = ...) -> bytes:
        """Answer a state vector."""

    def state_vector(self) -> bytes:
        """Say what is there."""

    @property
    def missing(self) -> dict[int, int]:
        """Say what is waited for."""


@dataclass(frozen=True)
class Subject:
    """What answers; a canary has one of these go wrong."""

    log: Callable[[Iterable[bytes]], Log]
    merge: Callable[[Sequence[bytes]], bytes]
    diff: Callable[[bytes, bytes], bytes]
    vector_of: Callable[[bytes], bytes]
    compact: Callable[[Sequence[bytes], bool], Compacted | None]


def weft_subject() -> Subject:
    """What weft has."""
    from weft.documents import UpdateLog, compact_updates, diff_update, merge_updates, state_vector_of

    return Subject(
        log=UpdateLog.of,
        merge=merge_updates,
        diff=diff_update,
        vector_of=state_vector_of,
        compact=lambda rows, gc: compact_updates(rows, gc=gc),
    )


def answers(subject: Subject, questions: dict[str, Any]) -> dict[str, Any]:
    """Answer what ``update.make`` of interop/lib/updates.mjs asks about one history."""
    updates, vectors = questions["updates"], questions["vectors"]
    compact = questions["compact"]
    rows = [updates[place] for place in questions["orders"][compact["order"]]["updates"]]
    asked = [vectors[at] for at in compact["vectors"]]
    merged = [subject.merge([updates[place] for place in places]) for places in questions["merges"]]
    return {
        "seed": questions["seed"],
        "orders": [_order(subject, order, updates, vectors) for order in questions["orders"]],
        "compacted": _compacted(subject, rows, asked, gc=True),
        "keptPast": _compacted(subject, rows, asked, gc=False),
        "merged": merged,
        "mergedVectors": [subject.vector_of(update) for update in merged],
        "diffed": [subject.diff(merged[place], vectors[at]) for place, at in questions["diffs"]],
        "vectors": [subject.vector_of(update) for update in updates],
    }


def _answers(log: Log, vectors: Iterable[bytes]) -> dict[str, Any]:
    return {
        "whole": log.diff(),
        "vector": log.state_vector(),
        "diffs": [log.diff(vector) for vector in vectors],
        "missing": len(log.missing),
    }


def _order(
    subject: Subject, order: dict[str, Any], updates: list[bytes], vectors: list[bytes]
) -> dict[str, Any]:
    rows = [updates[place] for place in order["updates"]]
    log = subject.log(())
    followed: list[bytes] = []
    for row in rows[: order["at"]]:
        followed += log.add(row).updates
    half = _answers(log, [vectors[at] for at in order["atVectors"]])
    for row in rows[order["at"] :]:
        followed += log.add(row).updates
    return {
        **_answers(log, [vectors[at] for at in order["vectors"]]),
        "of": subject.log(rows).diff(),
        "followed": followed,
        "at": half,
        "again": log.diff(half["vector"]),
    }


def _compacted(
    subject: Subject, rows: list[bytes], vectors: list[bytes], *, gc: bool
) -> dict[str, Any] | None:
    compacted = subject.compact(rows, gc)
    if compacted is None:
        return None
    log = subject.log([compacted.snapshot, *(rows[at] for at in sorted(compacted.kept))])
    return {**_answers(log, vectors), "whole": compacted.snapshot, "kept": len(compacted.kept)}
