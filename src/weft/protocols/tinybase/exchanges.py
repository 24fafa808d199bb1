"""Questions under way: to whom they went, what asks them, and until when they may be answered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from weft.protocols.tinybase.messages import Message
    from weft.protocols.tinybase.pull import Questions

__all__ = ["Exchange", "Pending", "PendingQuestions"]

MAX_PENDING = 100  # TinyBase's bound


@dataclass(slots=True)
class Exchange:
    """Questions to one peer, one after the other.

    Attributes:
        peer: Who is asked.
        transaction: What the ids of its questions begin with.
        questions: What asks them.
        hashes: Those of the peer, when it is asked for what it has.
        tokens: The flushes that wait for it, when it is asked what it has of what is here.
    """

    peer: str
    transaction: str
    questions: Questions
    hashes: list[int] | None = None
    tokens: tuple[int, ...] = ()


@dataclass(slots=True)
class Pending:
    """One question that was not answered yet; to everybody where there is no exchange."""

    message: Message
    due: float
    exchange: Exchange | None = None


class PendingQuestions:
    """All questions that were not answered yet, by their ids."""

    def __init__(self) -> None:
        self._pending: dict[str, Pending] = {}

    @property
    def is_full(self) -> bool:
        """Whether nothing more is to be asked."""
        return len(self._pending) >= MAX_PENDING

    @property
    def exchanges(self) -> list[Exchange]:
        """All exchanges, each of which has one question."""
        return [pending.exchange for pending in self._pending.values() if pending.exchange is not None]

    @property
    def next_due(self) -> float | None:
        """When the first of them is due."""
        return min([pending.due for pending in self._pending.values()], default=None)

    def add(self, pending: Pending) -> None:
        """A question was asked."""
        self._pending[pending.message.request_id or ""] = pending

    def answered(self, request_id: str | None, peer: str) -> Pending | None:
        """Give the question that somebody may answer; one to everybody goes on waiting for others."""
        pending = self._pending.get(request_id or "")
        if pending is None or pending.exchange is None:
            return pending
        return self._pending.pop(request_id or "") if pending.exchange.peer == peer else None

    def expired(self, now: float) -> list[Pending]:
        """Give those that are due, and forget them."""
        return self._drop([pending for pending in self._pending.values() if pending.due <= now])

    def left(self, peer: str) -> None:
        """Forget what a peer was asked."""
        self._drop(
            [
                pending
                for pending in self._pending.values()
                if pending.exchange is not None and pending.exchange.peer == peer
            ]
        )

    def clear(self) -> None:
        """Forget them all."""
        self._drop(list(self._pending.values()))

    def _drop(self, some: list[Pending]) -> list[Pending]:
        for pending in some:
            del self._pending[pending.message.request_id or ""]
            if pending.exchange is not None:
                pending.exchange.questions.close()
        return some
