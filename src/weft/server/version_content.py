"""What a saved version of a room holds, as tables or as the shared types of a document."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from weft.errors import MirrorError, StorageError
from weft.store import Store

if TYPE_CHECKING:
    from weft.changes import Changes, Content

__all__ = ["VersionContent", "read_version"]

_ROOT = "tinybase"


class VersionContent(ABC):
    """What a version holds."""

    @abstractmethod
    def content(self) -> Content | None:
        """Its tables and values; ``None`` where it holds anything else."""

    @abstractmethod
    def shown(self) -> Any:
        """All of it, as JSON can say it."""

    def way_back(self, now: bytes) -> bytes:
        """The edit that makes a document that has become something else what it was.

        Raises:
            StorageError: There is none.
        """
        del now
        raise StorageError("only tables can be restored of such a room")

    def changes_to(self, other: VersionContent) -> Changes | None:
        """What was changed in between, where both are tables."""
        before, after = self.content(), other.content()
        if before is None or after is None:
            return None
        store = Store().set_content(before)
        changes: list[Changes] = []
        store.add_did_finish_transaction_listener(
            lambda store: changes.append(store.get_transaction_changes())
        )
        store.set_content(after)
        return changes[0] if changes else ({}, {}, 1)


def read_version(room: str, data: bytes) -> VersionContent:
    """Read what was saved of a room.

    Raises:
        RemoteProtocolError: The binding cannot read it.
    """
    if room.startswith("automerge:"):
        return _TablesVersion(_automerge_content(data))
    return _TablesVersion(_mergeable_content(data)) if room.startswith("mergeable:") else _YjsVersion(data)


def _automerge_content(data: bytes) -> Content:
    from weft.documents.automerge import AutomergeDocument  # noqa: PLC0415 - an extra
    from weft.mirrors.automerge import AutomergeMirror  # noqa: PLC0415 - an extra

    store = Store()
    with AutomergeMirror(store, AutomergeDocument(data), _ROOT):
        return store.get_content()


def _mergeable_content(data: bytes) -> Content:
    from weft.documents.mergeable.log import from_rows  # noqa: PLC0415 - as for Yjs
    from weft.mirrors.mergeable import MergeableMirror  # noqa: PLC0415 - as for Yjs

    store = Store()
    with MergeableMirror(store, from_rows([data])):
        return store.get_content()


class _TablesVersion(VersionContent):
    def __init__(self, content: Content) -> None:
        self._content = content

    def content(self) -> Content:
        return self._content

    def shown(self) -> Any:
        tables, values = self._content
        return {"tables": tables, "values": values}


class _YjsVersion(VersionContent):
    def __init__(self, data: bytes) -> None:
        from weft.documents.yjs.past import open_past  # noqa: PLC0415 - who only serves need not load it

        self._data = data
        self._past = open_past(data)

    def content(self) -> Content | None:
        from weft.mirrors.yjs import YjsMirror  # noqa: PLC0415 - as above

        if self._past.roots.keys() - {_ROOT}:
            return None
        store = Store()
        try:
            with YjsMirror(store, self._past.doc, _ROOT):
                return store.get_content()
        except MirrorError:
            return None

    def shown(self) -> Any:
        content = self.content()
        if content is None:
            return self._past.shown()
        return {"tables": content[0], "values": content[1]}

    def way_back(self, now: bytes) -> bytes:
        from weft.documents.yjs.past import way_back  # noqa: PLC0415 - as above

        return way_back(self._data, now)
