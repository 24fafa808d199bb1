"""What all connections of one user, or from one address, have together."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING

from weft.server._core.rates import meter_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from weft.limits import ServerLimits
    from weft.server._core.rates import Meter

__all__ = ["Account", "Accounts", "account_key"]

_SWEPT = 2  # idle ones that are looked at when one comes


class Account:
    """One user or address.

    Attributes:
        meter: What it has taken of its rates.
        connections: How many it has.
        rooms: Rooms and documents that they hold open, each counted once for each connection.
    """

    __slots__ = ("connections", "key", "meter", "owner", "rooms")

    def __init__(self, owner: Accounts, key: str, meter: Meter) -> None:
        self.owner = owner
        self.key = key
        self.meter = meter
        self.connections = 0
        self.rooms = 0


class Accounts:
    """All users, or all addresses, that have connections, or had some and have not repaid what they took.

    Args:
        limits: Bounds of the server.
        whose: ``"user"`` or ``"address"``.
        clock: Seconds, monotonic.
    """

    def __init__(self, limits: ServerLimits, whose: str, *, clock: Callable[[], float]) -> None:
        self.whose = whose
        self.max_connections: int = getattr(limits, f"max_connections_per_{whose}")
        self.max_rooms: int = getattr(limits, f"max_rooms_per_{whose}")
        self._scale: float = getattr(limits, f"{whose}_rates")
        self._limits = limits
        self._clock = clock
        self._accounts: dict[str, Account] = {}
        self._idle: dict[str, None] = {}  # those without connections, in the order in which they became so

    def __len__(self) -> int:
        """How many are known."""
        return len(self._accounts)

    def enter(self, key: str) -> Account | None:
        """Count one more connection; ``None`` where there are as many as may be."""
        self._sweep()
        account = self._accounts.get(key)
        if account is None:
            account = self._accounts[key] = Account(self, key, meter_of(self._limits, self._scale))
        elif account.connections >= self.max_connections:
            return None
        self._idle.pop(key, None)
        account.connections += 1
        return account

    def leave(self, account: Account) -> None:
        """Count one less."""
        account.connections -= 1
        if not account.connections:
            self._idle[account.key] = None

    def _sweep(self) -> None:
        """Forget who has gone and owes nothing: one that came back would be as new."""
        now = self._clock()
        for key in [key for key, _ in zip(self._idle, range(_SWEPT), strict=False)]:
            del self._idle[key]
            if self._accounts[key].meter.is_full(now):
                del self._accounts[key]
            else:
                self._idle[key] = None


def account_key(address: str) -> str:
    """By what addresses are told apart: of IPv6 by the network, as one machine has 2**64 addresses in it."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address  # of a socket that has none, such as a path
    if not isinstance(parsed, IPv6Address):
        return address
    mapped = parsed.ipv4_mapped
    return parsed.packed[:8].hex() if mapped is None else str(mapped)
