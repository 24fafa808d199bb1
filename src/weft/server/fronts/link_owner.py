"""What the websockets of a server have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from weft.limits import ServerLimits
    from weft.server._core.accounts import Accounts
    from weft.server._core.memory_budget import MemoryBudget
    from weft.server._core.refused import RefusedCounts
    from weft.server.fronts.timer_wheel import TimerWheel

__all__ = ["LinkOwner"]


L_contra = TypeVar("L_contra", contravariant=True)  # the websocket, which knows this


class LinkOwner(Protocol[L_contra]):
    """What the links of a server share.

    Attributes:
        buffer: Where what comes is read into; used within one call.
        wheel: Their deadlines.
        max_message: Bytes in a message that is received.
        limits: Other bounds of each.
        budget: Of what is held for all.
        received: Bytes that have come, of all.
        users: Those that are known.
        refused: What is refused by which bound.
    """

    buffer: memoryview
    wheel: TimerWheel
    max_message: int
    limits: ServerLimits
    budget: MemoryBudget
    received: int
    users: Accounts
    refused: RefusedCounts

    def turn_end(self) -> float:
        """Until when, on ``time.monotonic``, messages may be worked on in this turn of the event loop."""

    def link_closed(self, link: L_contra) -> None:
        """The connection is over."""
