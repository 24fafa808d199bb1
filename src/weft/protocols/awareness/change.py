"""What has changed in awareness, by client id."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["AwarenessChange"]


@dataclass(frozen=True, slots=True)
class AwarenessChange:
    """What has changed, by client id.

    Attributes:
        added: Clients who were not there before.
        updated: Clients whose state was announced anew, different or not; they are relayed like the others.
        removed: Clients who left, or were not heard of.
        renewed: Those of ``updated`` whose state is what it was; a user interface can skip them.
    """

    added: tuple[int, ...] = ()
    updated: tuple[int, ...] = ()
    removed: tuple[int, ...] = ()
    renewed: tuple[int, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.updated or self.removed)

    @property
    def ids(self) -> tuple[int, ...]:
        """All clients concerned."""
        return self.added + self.updated + self.removed
