"""The Store that merges by itself, with the methods of TinyBase's MergeableStore."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from weft.documents.mergeable import MergeableDocument
from weft.mergeable.stamped import StampedStore
from weft.mirrors.mergeable import MergeableMirror

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["MergeableStore"]


class MergeableStore(StampedStore):
    """A :class:`~weft.store.Store` that merges with any other one, here or in JavaScript: TinyBase's.

    Each write has a stamp of a clock, and of two writes of one cell the later wins everywhere. The stamps,
    and those of what was deleted, are in :attr:`document`, which providers and persisters take. It belongs to
    the thread that made it.

    Args:
        unique_id: An id of its own, from which its part of the stamps is made; by default random. No two
            Stores that write may have the same.
        get_now: Gives the time in milliseconds since 1970; by default the machine's.
        on_invalid: As of :class:`~weft.store.Store`. With ``"ignore"``, malformed content and changes that
            are to be merged do nothing, as in TinyBase; with ``"raise"`` they raise.
        row_ids: As of :class:`~weft.store.Store`; ``"auto"`` gives unique ones from the beginning.
        encode: As of :class:`~weft.store.Store`.
        on_error: Called with what was received and cannot be shown, and with exceptions of listeners
            meanwhile; without it they are logged to ``weft.mirrors`` at WARNING.
    """

    __slots__ = ()

    def __init__(
        self,
        unique_id: str | None = None,
        *,
        get_now: Callable[[], float] | None = None,
        on_invalid: Literal["raise", "ignore"] = "raise",
        row_ids: Literal["auto", "counter", "unique"] | Callable[[], str] = "auto",
        encode: Callable[[Any], Any] | None = None,
        on_error: Callable[[Exception], None] | None = None,
    ) -> None:
        super().__init__(on_invalid=on_invalid, row_ids=row_ids, encode=encode)
        document = MergeableDocument(unique_id, get_now=get_now)
        self._mirror = MergeableMirror(self, document, on_error=on_error).start()
