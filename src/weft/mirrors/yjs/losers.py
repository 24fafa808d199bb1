"""What peers wrote into containers that have lost against others made at the same time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from weft._codecs.yjs.lib0 import Writer
from weft.mirrors.yjs.healing import Path, containers, has_losers, lost_writes

if TYPE_CHECKING:
    from pycrdt import Doc

    from weft._codecs.yjs.update import ItemId
    from weft.documents.yjs.binding import RawTransactionEvent

__all__ = ["Losers"]

# Items inside lost containers that are remembered, because their writer may go on writing there until it has
# learned of ours. A row costs one and each of its cells one; about 200 bytes each.
_MAX_LOST = 50_000


class Losers:
    """The lost containers below one root map.

    Args:
        doc: The document.
        root_name: Of the root map.
    """

    def __init__(self, doc: Doc[Any], root_name: str) -> None:
        self._doc = doc
        self._root_name = root_name
        # Received updates that wrote into a lost container, with the delete sets of their transactions.
        self._unread: list[tuple[bytes, bytes]] = []
        self._lost: dict[ItemId, Path] = {}
        # Clients whose items those are, as they are encoded: an update without any of them need not be read.
        self._writers: set[bytes] = set()

    def heard(self, event: RawTransactionEvent, received: bytes) -> None:
        """Look whether a received update wrote into one. The document must not be touched here."""
        if has_losers(event.delete_set, event.before_state) or any(
            client in received for client in self._writers
        ):
            self._unread.append((received, event.delete_set))

    @property
    def is_waiting(self) -> bool:
        """Whether something was heard that has not been read."""
        return bool(self._unread)

    def recover(self) -> dict[Path, object]:
        """What they wrote since this was asked last: the value at each path below the root.

        Called outside of transactions.
        """
        if not self._unread:
            return {}
        unread, self._unread = self._unread, []
        places: dict[ItemId, Path] = {}

        def locate(parent: str | ItemId) -> Path | None:
            if isinstance(parent, str):
                return () if parent == self._root_name else None
            if not places:
                # All of the document is read, but only when a container has lost, and once for all of them.
                places.update(containers(self._doc.get_update(), self._root_name))
            return places.get(parent)

        found: dict[Path, object] = {}
        for update, deleted in unread:
            found.update(lost_writes(update, deleted, self._lost, locate))
        while len(self._lost) > _MAX_LOST:
            del self._lost[next(iter(self._lost))]
        self._writers = {Writer().uint(client).finish() for client, _ in self._lost}
        return found
