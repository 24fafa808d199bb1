"""What documents of every kind have in common: the thread that they belong to, and an end."""

from __future__ import annotations

from _thread import get_ident
from typing import TYPE_CHECKING

from weft._support.callbacks import subscribe
from weft._support.owner import FREE, Owner
from weft._support.uncopied import Uncopied
from weft.errors import DocumentClosedError, WrongThreadError

if TYPE_CHECKING:
    from collections.abc import Callable

    from weft._support.owner import Hold

__all__ = ["Owned"]


class Owned(Uncopied):
    """A document that belongs to the thread of those who listen to it, while there are any."""

    __slots__ = ("_closings", "_owner")

    instead_of_copy = "make another one of the bytes that it gives"

    def __init__(self) -> None:
        self._owner = Owner("the document")
        self._closings: list[Callable[[str, str], None]] = []

    @property
    def is_mine(self) -> bool:
        """Whether the document belongs to the calling thread, or to nobody."""
        if self._owner.thread in {get_ident(), FREE}:
            return True
        try:
            self._owner.check()  # that of a thread or an event loop which has ended becomes the caller's
        except (WrongThreadError, DocumentClosedError):
            return False
        return True

    def check_owner(self) -> None:
        """Let only the thread pass that the document belongs to, if it belongs to one.

        Raises:
            WrongThreadError: It is another's, or another process's.
            DocumentClosedError: The document was closed.
        """
        if get_ident() != self._owner.thread:
            self._owner.check()

    def close(self, what: str, reason: str) -> None:
        """Give the document up: what writes to it from now on, a mirrored Store too, raises.

        A room does so that is unloaded or has failed, as what is written to its document is kept by nobody.
        A second call does nothing.

        Args:
            what: What was closed, as errors call it.
            reason: Why, and what to do.
        """
        if self._owner.is_closed:
            return
        self._owner.hold().close(what, reason)
        for tell in tuple(self._closings):
            tell(what, reason)

    def on_close(self, callback: Callable[[str, str], None]) -> Callable[[], None]:
        """Call ``callback(what, reason)`` when the document is closed.

        Returns:
            A function that ends this; calling it again does nothing.
        """
        return subscribe(self._closings, callback)

    def _until_ended(self, end: Callable[[], None], hold: Hold) -> Callable[[], None]:
        """A function that ends something and drops what it held the document with."""

        def unsubscribe() -> None:
            end()
            hold.drop()

        return unsubscribe
