"""The broker that an address stands for, as on a command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft.server import fanout

if TYPE_CHECKING:
    from weft.server.fanout.broadcast import Broadcast

__all__ = ["broadcast_at", "check_broker"]

_REDIS = ("redis://", "rediss://")
_NATS = ("nats://",)


def check_broker(address: str) -> str:
    """The address, if it is one.

    Raises:
        ValueError: It is something else.
    """
    if not all(part.strip().startswith(_NATS) for part in address.split(",")) and not address.startswith(
        _REDIS
    ):
        raise ValueError("the address of a broker begins with redis://, rediss:// or nats://")
    return address


def broadcast_at(address: str, *, prefix: str = "weft") -> Broadcast:
    """The way to other processes that an address stands for; it has not been opened yet.

    Args:
        address: ``redis://host``, ``rediss://host`` or ``nats://host``; several of NATS between commas.
        prefix: What the names of its channels begin with. Processes that have the same hear of one another;
            those of different databases must not.

    Raises:
        ValueError: It is something else.
        ImportError: A package is missing for it.
    """
    check_broker(address)
    if address.startswith(_REDIS):
        return fanout.RedisBroadcast(address, prefix=f"{prefix}:")
    return fanout.NatsBroadcast(address, prefix=f"{prefix}.")
