"""What a provider tells the replica of its Yjs document."""

from __future__ import annotations

from weft.providers.replica.kept import Kept as AnyKept
from weft.providers.replica.yjs import YjsContent

__all__ = ["Kept"]


class Kept(AnyKept[YjsContent]):
    """A replica, as the session of its document sees it: see the base class."""

    def is_due(self, now: float) -> bool:
        """Whether the server is to be asked now: what it has was seen when it answered with all of that."""
        return super().is_due(now) and bool(self.content.pending())

    def synced(self, now: float) -> bytes | None:
        """The server has answered with all it has; gives what was held back until then."""
        was_held = self.content.is_held
        self.content.synced()
        self.ask_at = now
        self._note()
        return self.content.update_since(b"\0") if was_held else None
