"""What happens to an Automerge document: what an event is, and who hears it when."""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING, TypeAlias

from weft._codecs.automerge.change import decode_change

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from weft._codecs.automerge.change import Decoded

__all__ = ["DocumentEvent", "EventQueue", "Heads"]

_log = logging.getLogger("weft.documents")

Heads: TypeAlias = tuple[bytes, ...]

_NOTHING: Mapping[bytes, Decoded] = {}


class DocumentEvent:
    """A change of the document, by one local transaction or one batch of received changes.

    Attributes:
        before: Heads before it.
        after: Heads after it.
        origin: Who made or brought it; compared by identity.
    """

    __slots__ = ("_changes", "_decoded", "after", "before", "origin")

    def __init__(
        self,
        before: Heads,
        after: Heads,
        changes: tuple[bytes, ...] | Callable[[DocumentEvent], tuple[bytes, ...]],
        origin: object | None,
        decoded: Mapping[bytes, Decoded] = _NOTHING,
    ) -> None:
        self.before = before
        self.after = after
        self.origin = origin
        self._changes = changes
        self._decoded = decoded  # by chunk

    @property
    def changes(self) -> tuple[bytes, ...]:
        """The changes in between, each a chunk that stands for itself, in an order to apply them in."""
        changes = self._changes
        if not isinstance(changes, tuple):
            self._changes = changes = changes(self)
        return changes

    def decoded(self) -> Iterator[tuple[bytes, Decoded]]:
        """The changes with what they touched, which for those just received is known."""
        for change in self.changes:
            yield change, self._decoded.get(change) or decode_change(change)


class EventQueue:
    """Tells every subscriber of every event, in order: what one of them causes is told after."""

    __slots__ = ("_but", "_events", "_is_under_way", "subscribers")

    def __init__(self) -> None:
        self.subscribers: list[Callable[[DocumentEvent], None]] = []
        self._but: dict[Callable[[DocumentEvent], None], object] = {}  # of whose events it is not told
        self._events: deque[DocumentEvent] = deque()
        self._is_under_way = False

    def spare(self, callback: Callable[[DocumentEvent], None], origin: object) -> None:
        """Do not tell a subscriber of what has an origin: its own."""
        self._but = {known: self._but[known] for known in self.subscribers if known in self._but}
        self._but[callback] = origin

    def is_heard(self, origin: object) -> bool:
        """Whether anybody is told of what has an origin."""
        for callback in self.subscribers:  # noqa: SIM110 - for each letter that is typed
            if origin is None or self._but.get(callback) is not origin:
                return True
        return False

    def tell(self, event: DocumentEvent) -> None:
        """Tell of an event, now or after those before it. What a subscriber raises is logged."""
        if self._is_under_way:
            self._events.append(event)
            return
        self._is_under_way = True
        try:
            while True:
                for callback in tuple(self.subscribers):
                    if event.origin is not None and self._but.get(callback) is event.origin:
                        continue
                    try:
                        callback(event)
                    except Exception:  # noqa: BLE001 - whatever it is, the others are told
                        _log.exception("a subscriber of an Automerge document failed")
                if not self._events:
                    return
                event = self._events.popleft()
        finally:
            self._is_under_way = False
