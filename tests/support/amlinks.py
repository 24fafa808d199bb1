"""Automerge documents of Python and of the JavaScript driver, synced by hand: no socket, clock or repo."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from support.node import SyncJsPeer
    from weft.documents.automerge.document import AutomergeDocument

__all__ = ["JsLink"]

_MAX_ROUNDS = 100  # two peers are done in two or three


class JsLink:
    """A connection between a document and a peer of the driver, on which nothing moves by itself.

    Args:
        js: The driver.
        name: The peer in it, made by ``am.create``, ``am.store`` or one of ``repo.``.
        document: The document here.
        link: A name for the connection; a peer may have several.
    """

    def __init__(self, js: SyncJsPeer, name: str, document: AutomergeDocument, *, link: str = "") -> None:
        self._js = js
        self._name = name
        self._link = link
        self._document = document
        self._state = document.new_sync_state()

    def send(self) -> bool:
        """Give the peer the next message from here. Returns whether there was one."""
        message = self._document.generate_sync_message(self._state)
        if message is not None:
            self._js("am.sync.receive", name=self._name, link=self._link, message=message)
        return message is not None

    def fetch(self) -> bool:
        """Take the peer's next message. Returns whether there was one."""
        message = self._js("am.sync.generate", name=self._name, link=self._link)
        if message is not None:
            self._document.receive_sync_message(self._state, message, origin=self)
        return message is not None

    def settle(self) -> None:
        """Exchange messages until neither end has more to say.

        What a TinyBase store answers to what it received takes the driver's ``settle``, and a second call.
        """
        for _ in range(_MAX_ROUNDS):
            if not (self.send() | self.fetch()):
                return
        raise AssertionError(f"two peers had something to say {_MAX_ROUNDS} times in a row")

    def cut(self) -> None:
        """Begin with a new connection: neither end knows any more what the other has."""
        self._js("am.sync.reset", name=self._name, link=self._link)
        self._state = self._document.new_sync_state()
