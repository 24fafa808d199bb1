"""What an adapter of a place implements: how it is read, written and watched."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from weft.persisters._core.unsaved import RawContent, StoredChanges, StoredContent

__all__ = ["PlaceAdapter"]


class PlaceAdapter(ABC):
    """A place that keeps content. When to do what is the engine's to say."""

    keeps_mergeable: ClassVar[bool] = False
    """Whether it can keep a ``MergeableStore``: for such a one :meth:`write` is given, and :meth:`read` may
    give, content and changes of the mergeable form: see ``MergeableDocument.get_content``."""

    @property
    def place(self) -> str:
        """How errors call the place; empty where its kind says enough."""
        return ""

    @abstractmethod
    async def read(self) -> RawContent | None:
        """Read the whole content.

        Returns:
            ``(tables, values)``, or ``None`` where there is nothing yet. Lists and objects may be given as
            such or in stored form. For a ``MergeableStore`` mergeable content, too.

        Raises:
            StorageError: The place could not be read, or holds something else.
        """

    @abstractmethod
    async def write(
        self, get_content: Callable[[], StoredContent], changes: StoredChanges | None = None
    ) -> None:
        """Write, so that the place has either what it had or what it should have, and nothing in between.

        Args:
            get_content: Gives a copy of the Store's content.
            changes: What to merge into the place, leaving alone all that it does not mention. ``None``: the
                place is to hold the content and nothing else.

        Raises:
            StorageError: Nothing was written.
        """

    async def watch(self, listener: Callable[..., None]) -> object:
        """Begin to call ``listener`` when others change the place.

        Args:
            listener: ``listener()`` asks for a load; ``listener(content)`` and ``listener(None, changes)``
                bring what changed. From any thread.

        Returns:
            A handle for :meth:`unwatch`. A place that tells nothing returns ``None``.
        """
        del listener
        return None

    async def unwatch(self, handle: Any) -> None:  # noqa: B027 - a place that tells nothing needs none
        """End what :meth:`watch` began."""

    async def reopen(self) -> None:  # noqa: B027 - a place that is not kept open needs none
        """Let go of a place that is not where it was, and use the one that is there from now on."""

    async def release(self) -> None:  # noqa: B027 - as unwatch
        """Let go of threads and connections; called once, by :meth:`close`."""
