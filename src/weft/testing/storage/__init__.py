"""What every storage of a server's rooms must do, as classes of tests to subclass.

For pytest with pytest-asyncio in ``auto`` mode::

    class TestMyStorage(StorageSuite):
        @pytest.fixture(autouse=True)
        def place(self, tmp_path):
            self.path = tmp_path / "place"

        def make(self):
            return MyStorage(self.path)

Each test has a place of its own, empty at first; all calls of ``make`` in one test give the same place.
:class:`SharedStorageSuite` is for places that several processes may have open at the same time;
:class:`StorageKillSuite`, beside either, for those that outlive a process.
"""

from __future__ import annotations

from weft.testing.storage.kills import StorageKillSuite
from weft.testing.storage.shared import SharedStorageSuite
from weft.testing.storage.suite import StorageSuite, join_updates

__all__ = ["SharedStorageSuite", "StorageKillSuite", "StorageSuite", "join_updates"]
