"""What every persister must do, as a class of tests to subclass.

For pytest with pytest-asyncio in ``auto`` mode::

    class TestMyPersister(PersisterSuite):
        durable = True

        @pytest.fixture(autouse=True)
        def place(self, tmp_path):
            self.path = tmp_path / "place"

        def make(self, store, **options):
            return MyPersister(store, self.path, **options)

        async def read_raw(self):
            return my_read(self.path)  # round the persister

        async def write_raw(self, content):
            my_write(self.path, content)

Each test has a place of its own, empty at first; all calls of ``make`` in one test give the same place.
"""

from __future__ import annotations

from weft.testing.persisters.hooks import MORE, PETS, RICH, Failing, Gate, PersisterHooks, until
from weft.testing.persisters.kills import KillSuite
from weft.testing.persisters.mergeable import MergeablePersisterSuite
from weft.testing.persisters.suite import PersisterSuite

__all__ = [
    "MORE",
    "PETS",
    "RICH",
    "Failing",
    "Gate",
    "KillSuite",
    "MergeablePersisterSuite",
    "PersisterHooks",
    "PersisterSuite",
    "until",
]
