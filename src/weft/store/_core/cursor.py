"""Places in shared texts that follow what transactions do, and the calls of those who listen to texts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from weft.deltas import transform_offset
from weft.store._parts.listener_tree import pending
from weft.store._parts.texts import runs

if TYPE_CHECKING:
    from weft.store._core.schemas import Schemas
    from weft.store._parts.texts import TextKey, Texts

__all__ = ["Cursor", "follow"]


class Cursor:
    """A place in a text, which follows its edits as long as it is held.

    ``text.cursor(offset)`` makes it, and ``text.cursor_from_json(position)``.

    Attributes:
        assoc: To what it belongs, as given.
    """

    __slots__ = ("__weakref__", "_key", "_offset", "_since", "_store", "_texts", "assoc")

    def __init__(self, store: Schemas, texts: Texts, key: TextKey, offset: int, assoc: int) -> None:
        self._store = store
        self._texts = texts
        self._key = key
        self.assoc = assoc
        self._offset = offset
        log = store._log
        self._since = (log, len(log)) if log else None  # what the running transaction did before is in it
        follow(store, texts)
        texts.cursors.setdefault(key, WeakSet()).add(self)

    @property
    def offset(self) -> int:
        """Where it is now, in UTF-16 code units."""
        log = self._store._log
        if not log or self._texts.followed is log:
            return self._offset
        return self._moved(log)

    def to_json(self) -> Any:
        """Give the place as a relative position, which means the same to every peer, whatever they edit.

        Returns:
            The form of the document's JavaScript library: for Yjs what ``Y.relativePositionToJSON`` gives.
            ``None`` where no document tells: the text is in none, or was edited in the running transaction.
        """
        for source in self._texts.sources:
            if (position := source.position(*self._key, self.offset, self.assoc)) is not None:
                return position
        return None

    def __repr__(self) -> str:
        return f"<Cursor at {self.offset} of {'/'.join(self._key)!r}>"

    def _moved(self, log: list[Any]) -> int:
        """Where it is after the running transaction's edits so far."""
        offset = self._offset
        start = self._since[1] if self._since is not None and self._since[0] is log else 0
        texts, rules = self._texts, self._store._schema
        for key, delta, _ in runs(log, texts, rules, texts.received, self._store._stored, start):
            if key == self._key:
                offset = transform_offset(delta, offset, assoc=self.assoc)
        return offset

    def _settle(self, log: list[Any]) -> None:
        self._offset = self._moved(log)
        self._since = None


def follow(store: Schemas, texts: Texts) -> None:
    """Have cursors and listeners follow what transactions do to texts."""
    if texts.hook is None:
        texts.hook = store.add_did_finish_transaction_listener(lambda _: _finished(store, texts))


def _finished(store: Schemas, texts: Texts) -> None:
    """Move the cursors, and then tell the listeners."""
    log = store._log
    if not log or not (texts.listeners or texts.cursors):
        return

    told = list(runs(log, texts, store._schema, texts.received, store._stored))
    for key in dict.fromkeys(key for key, _, _ in told):
        for cursor in list(texts.cursors.get(key, ())):
            cursor._settle(log)
        if key in texts.cursors and not texts.cursors[key]:
            del texts.cursors[key]
    texts.followed = log
    failed: BaseException | None = None
    for key, delta, is_local in told:
        for call in pending(texts.listeners.get(key, {}), {}):
            try:
                call(delta, is_local)
            except BaseException as error:  # noqa: BLE001 - raised when the others have been called
                failed = failed or error
    if failed is not None:
        raise failed
