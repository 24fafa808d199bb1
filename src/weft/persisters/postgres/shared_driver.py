"""What all that use one PostgreSQL driver share: whose turn it is, and the connection that listens."""

from __future__ import annotations

import asyncio
import weakref
from typing import TYPE_CHECKING

from weft._support.owner import Owner
from weft.persisters.postgres.notifications import NotificationListener

if TYPE_CHECKING:
    from weft.persisters.postgres.driver import PostgresDriver

__all__ = ["SharedDriver"]

# By the driver's id, which stays its own: whoever is here holds it.
_SHARED: weakref.WeakValueDictionary[int, SharedDriver] = weakref.WeakValueDictionary()


class SharedDriver:
    """A driver and its users, all in one event loop; given by :meth:`join`.

    Attributes:
        driver: The driver.
        busy: Held while a transaction is under way.
        listener: Hears of others' changes for all of them.
    """

    def __init__(self, driver: PostgresDriver) -> None:
        self.driver = driver
        self.busy = asyncio.Lock()
        self.listener = NotificationListener(driver)
        self._users = 0
        self._owner = Owner("the PostgreSQL driver")

    @classmethod
    def join(cls, driver: PostgresDriver) -> SharedDriver:
        """Use a driver, together with those that use it already.

        Raises:
            WrongProcessError: They do so in the process that this one was forked from.
        """
        shared = _SHARED.get(id(driver))
        if shared is None:
            shared = _SHARED[id(driver)] = cls(driver)
        shared._owner.check_process()
        shared._users += 1
        return shared

    async def leave(self) -> None:
        """Use it no more; the last user disconnects it. The next may have another event loop."""
        self._users -= 1
        if not self._users:
            del _SHARED[id(self.driver)]
            await self.driver.close()
