"""What one connection takes of its rates, and of those of its address and its user."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from weft.server._core.rates import JOINS, PINGS, QUESTIONS, RATES, meter_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weft.limits import ServerLimits
    from weft.server._core.accounts import Account, Accounts
    from weft.server._core.refused import RefusedCounts

__all__ = ["LinkRates"]


class LinkRates:
    """The rates of one connection.

    Args:
        limits: Bounds of the server.
        refused: Told what exceeds which rate.
        name: How the log calls the client.
        account: That of its address, which has counted the connection; ``None`` behind a proxy that does not
            tell it.
    """

    __slots__ = (
        "_accounts",
        "_has_joined",
        "_limits",
        "_meters",
        "_name",
        "_own",
        "_refused",
        "_rooms",
        "user",
    )

    def __init__(
        self, limits: ServerLimits, refused: RefusedCounts, name: str, account: Account | None
    ) -> None:
        self.user = ""
        self._limits = limits
        self._refused = refused
        self._name = name
        self._own = meter_of(limits)
        self._accounts: list[Account] = []
        self._meters = [self._own]
        self._rooms = 0
        self._has_joined = False
        if account is not None:
            self._add(account)

    def take(self, amounts: Sequence[float], now: float) -> float:
        """Take what has come in one read.

        Args:
            amounts: Bytes, frames, messages, pings and the like, and seconds that it took.
            now: Seconds, monotonic.

        Returns:
            Seconds in which nothing more should be read; not above zero where it may, infinite where the
            connection should end.
        """
        wait = 0.0
        for meter in self._meters:
            owed = meter.take(amounts, now)
            if owed > wait:
                wait = owed
                kind = meter.exceeded
        if wait > 0.0:
            self._note(kind)
            if self._own.exceeded == PINGS and self._own.owed(PINGS, now) > self._limits.max_owed:
                return float("inf")
        return wait

    def take_one(self, kind: int, amount: float) -> float:
        """Take of one rate; seconds in which nothing more should be read."""
        now = time.monotonic()
        wait = max([meter.take_one(kind, amount, now) for meter in self._meters])
        if wait > 0.0:
            self._note(kind)
        return wait

    def ask(self, count: int) -> float:
        """Take questions; see :meth:`take_one`."""
        return self.take_one(QUESTIONS, count)

    def identify(self, user: str, users: Accounts) -> bool:
        """Count the connection for a user as well; whether there may be one more of it."""
        if self.user or not user:
            return True
        account = users.enter(user)
        if account is None:
            self._refused.note(
                "max_connections_per_user", self._name, "let go, as its user has that many connections (1013)"
            )
            return False
        self.user = user
        account.rooms += self._rooms
        self._add(account)
        return True

    def enter_room(self) -> float | None:
        """Count a room or document.

        Returns:
            As :meth:`take_one`; ``None`` where there are as many as may be, and nothing is counted.
        """
        for account in self._accounts:
            if account.rooms >= account.owner.max_rooms:
                whose = account.owner.whose
                self._refused.note(
                    f"max_rooms_per_{whose}", self._name, f"its {whose} holds that many rooms open: no more"
                )
                return None
        self._rooms += 1
        for account in self._accounts:
            account.rooms += 1
        if self._has_joined:
            return self.take_one(JOINS, 1)
        self._has_joined = True  # its address was asked before the upgrade
        return self._own.take_one(JOINS, 1, time.monotonic())

    def leave_room(self) -> None:
        """It is held no more."""
        self._rooms -= 1
        for account in self._accounts:
            account.rooms -= 1

    def close(self) -> None:
        """The connection is over, and holds nothing."""
        for account in self._accounts:
            account.rooms -= self._rooms
            account.owner.leave(account)
        self._accounts.clear()

    def _add(self, account: Account) -> None:
        self._accounts.append(account)
        self._meters.append(account.meter)

    def _note(self, kind: int) -> None:
        self._refused.note(RATES[kind], self._name, "sends faster than it may, and is read from more slowly")
