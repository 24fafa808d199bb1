"""Peers of one document that are told the same things in the same words: Python's and TinyBase's.

Calls are written as TinyBase spells them (``["setCell", "pets", "fido", "color", "brown"]``), so that one
case runs with any pair of peers. Nothing here opens a socket: updates are carried by hand.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Protocol

from support.ydocs import Content, numbered_doc, project
from weft import Store
from weft._codecs.yjs.guard import check_update
from weft.documents.yjs.document import YDocument
from weft.mirrors.yjs import YjsMirror

if TYPE_CHECKING:
    from support.node import SyncJsPeer

__all__ = ["Call", "JsTinyBasePeer", "Peer", "PythonPeer", "decoded", "exchange_all"]

Call = list[Any]


class Peer(Protocol):
    """One offline or online participant with a Store kept in a document."""

    def run(self, calls: list[Call], *, together: bool = False) -> None:
        """Make the calls, each its own transaction or all in one."""

    def update(self) -> bytes:
        """The whole document."""

    def apply(self, update: bytes) -> None:
        """Receive another peer's document."""

    def store_content(self) -> Content:
        """What the program sees."""

    def document_content(self) -> Content:
        """What a fresh reader of the document would see."""


def _snake(name: str) -> str:
    return re.sub(r"[A-Z]", lambda match: f"_{match[0].lower()}", name)


class PythonPeer:
    """A weft Store with a running Yjs mirror."""

    def __init__(self, client_id: int, *, layout: Any = "tinybase") -> None:
        self.errors: list[Exception] = []
        self.doc = numbered_doc(client_id)
        self.store = Store()
        self.mirror = YjsMirror(self.store, self.doc, layout=layout, on_error=self.errors.append).start()
        self._layout = layout

    def run(self, calls: list[Call], *, together: bool = False) -> None:
        if together:
            with self.store.transaction():
                self.run(calls)
            return
        for method, *args in calls:
            getattr(self.store, _snake(method))(*args)

    def update(self) -> bytes:
        return self.doc.get_update()

    def apply(self, update: bytes) -> None:
        check_update(update)
        YDocument.of(self.doc).apply(update, origin="another peer")

    def store_content(self) -> Content:
        tables, values = self.store.get_content()
        return tables, values

    def document_content(self) -> Content:
        return project(self.doc, layout=self._layout)


class JsTinyBasePeer:
    """A TinyBase Store with createYjsPersister, auto-load and auto-save on, in a Node process."""

    def __init__(self, js: SyncJsPeer, name: str, client_id: int, *, history: bytes | None = None) -> None:
        self._js = js
        self._name = name
        # Auto-save makes containers at once in an empty document, so a history has to be there before.
        js("store.create", name=name, clientId=client_id, autoSave=False)
        if history is not None:
            self.apply(history)
        js("persister.call", name=name, method="startAutoSave")

    def run(self, calls: list[Call], *, together: bool = False) -> None:
        if together:
            self._js("store.transaction", name=self._name, calls=calls)
        else:
            for method, *args in calls:
                # In ticks of their own: several in one tick TinyBase loses, which is a case by itself.
                self._js("store.call", name=self._name, method=method, args=args)
                self._js("settle")
        self._js("settle")

    def update(self) -> bytes:
        update: bytes = self._js("doc.encode", name=self._name)
        return update

    def apply(self, update: bytes) -> None:
        self._js("doc.apply", name=self._name, update=update)
        self._js("settle")

    def store_content(self) -> Content:
        tables, values = self._js("store.call", name=self._name, method="getContent")
        return tables, values

    def document_content(self) -> Content:
        root = decoded(self._js("doc.content", name=self._name, path=["tinybase"]))
        tables = {
            table_id: kept
            for table_id, rows in root.get("t", {}).items()
            if (kept := {row_id: cells for row_id, cells in rows.items() if cells})
        }
        return tables, root.get("v", {})


def decoded(value: Any) -> Any:
    """Replace the stored form of lists and objects (U+FFFD and JSON) by what it stands for."""
    if isinstance(value, str) and value.startswith("\ufffd"):
        return json.loads(value[1:])
    if isinstance(value, list):
        return [decoded(item) for item in value]
    if isinstance(value, dict):
        return {key: decoded(item) for key, item in value.items()}
    return value


def exchange_all(*peers: Peer) -> None:
    """Carry whole documents between all peers until none changes any more.

    As in a y-websocket handshake, each tells what it has before hearing the other.

    Raises:
        AssertionError: The traffic does not stop.
    """
    before: list[bytes] = []
    for _ in range(10):
        now = [peer.update() for peer in peers]
        if now == before:
            return
        for source, update in zip(peers, now, strict=True):
            for target in peers:
                if target is not source:
                    target.apply(update)
        before = now
    raise AssertionError("the peers do not come to rest")
