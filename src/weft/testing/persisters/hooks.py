"""The ground of the persister suite: hooks, sample content, and ways to hold up or break a verb."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from weft.errors import StorageError
from weft.store import Store

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from weft.changes import Content
    from weft.persisters import Persister

__all__ = ["MORE", "PETS", "RICH", "Failing", "Gate", "PersisterHooks", "until"]

PETS: Content = ({"pets": {"fido": {"species": "dog", "price": 5}}}, {"open": "yes"})
MORE: Content = (
    {"pets": {"fido": {"species": "dog", "price": 5}, "felix": {"species": "cat", "price": 4.25}}},
    {"open": "no"},
)
RICH: Content = (
    {
        "pets": {
            "fido": {"species": "dog", "sold": True, "owner": None, "tags": ["big", {"loud": False}]},
            "10": {"species": "ça va? 犬 \U0001f436", "price": -0.5},
            "9": {"price": 1e21, "": "empty id"},
        },
        "a.b \"c\" 'd'": {"row ; --": {'"': 1, "'": 2, "%": 3}},
    },
    {"open": False, "limits": {"rows": 9007199254740991}, "none": None, "long": "x" * 100_000},
)

_PATIENCE_S = 25.0


async def until(condition: Callable[[], bool | Awaitable[bool]], *, seconds: float = _PATIENCE_S) -> None:
    """Wait until a condition, plain or awaitable, holds.

    Raises:
        AssertionError: It did not within ``seconds``.
    """
    end = asyncio.get_running_loop().time() + seconds
    while True:
        holds = condition()
        if not isinstance(holds, bool):
            holds = await holds
        if holds:
            return
        if asyncio.get_running_loop().time() > end:
            raise AssertionError(f"not within {seconds} s: {condition!r}")
        await asyncio.sleep(0.005)


class Gate:
    """Holds one verb of a persister until it is let through."""

    def __init__(self, persister: Persister, verb: str) -> None:
        self.reached = asyncio.Event()
        self.open = asyncio.Event()
        self._verb = getattr(persister, verb)
        setattr(persister, verb, self._wait)

    async def _wait(self, *args: Any) -> Any:
        result = await self._verb(*args) if self._verb.__name__ == "read" else None
        self.reached.set()
        await self.open.wait()
        return result if self._verb.__name__ == "read" else await self._verb(*args)


class Failing:
    """Lets a verb of a persister fail the next ``times`` times."""

    def __init__(self, persister: Persister, verb: str, times: int) -> None:
        self.times = times
        self._verb = getattr(persister, verb)
        setattr(persister, verb, self._call)

    async def _call(self, *args: Any) -> Any:
        if self.times:
            self.times -= 1
            raise StorageError("made to fail")
        return await self._verb(*args)


class PersisterHooks:
    """What a subclass of the suite says about its place."""

    durable: ClassVar[bool] = False
    """Whether content outlives the persister's process."""
    notifies: ClassVar[bool] = True
    """Whether auto-load hears of changes by others."""
    merges: ClassVar[bool] = False
    """Whether what is kept is a ``MergeableStore``: then what the place holds is merged with, and not
    replaced."""
    contents: ClassVar[tuple[Content, ...]] = (PETS, MORE, RICH)
    """What must come back as it was; all of the tables ``pets``, cells ``species`` and ``price``, and the
    value ``open`` are used by the other tests too."""

    def make_store(self, content: Content | None = None) -> Store:
        """Make a Store of the kind that is to be kept, with content of its own."""
        store = Store()
        return store if content is None else store.set_content(content)

    @abstractmethod
    def make(self, store: Store, **options: Any) -> Persister:
        """Make a persister for the test's place, passing ``options`` on (``on_error``)."""

    @abstractmethod
    async def read_raw(self) -> Content | None:
        """Read the place round the persister."""

    @abstractmethod
    async def write_raw(self, content: Content) -> None:
        """Replace what the place holds round the persister, as another program would."""

    async def write_bad(self) -> None:
        """Put into the place what no persister wrote; leave as it is where that cannot be."""
        pytest.skip("this place cannot hold anything but content")

    async def loaded_content(self) -> Content:
        """Load the place into a Store of its own."""
        store = self.make_store()
        async with self.make(store) as persister:
            await persister.load()
        return store.get_content()

    async def fill_place(self, content: Content = PETS) -> None:
        """Save content there, and nothing else."""
        store = self.make_store()
        async with self.make(store) as persister:
            if self.merges:
                await persister.load()
            store.set_content(content)
            await persister.save()
