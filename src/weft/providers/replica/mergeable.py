"""A replica's mergeable document: filled from the rows, and heard by the file.

A row is the body of message 3 of TinyBase's protocol as JSON text, so that reading one twice, or in another
order, does no harm; where all content was replaced it is the new content, and what came before it is over.
The server has no state vector, so the places of what it has not confirmed are noted.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, TypeAlias

from weft.documents import Compacted
from weft.documents.mergeable import get_unique_id, to_json
from weft.documents.mergeable.log import from_rows, read_row, row_of
from weft.providers.replica.content import ReplicaContent
from weft.providers.replica.meta import replace
from weft.providers.replica.own_rows import OwnRows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from weft.documents import Compactor
    from weft.documents.mergeable import Checked, MergeableChanges, MergeableDocument, MergeableEvent
    from weft.limits import Limits
    from weft.providers.replica.file import Row
    from weft.providers.replica.meta import Meta
    from weft.providers.replica.pending import Pending

__all__ = ["MergeableReplicaContent"]

_log = logging.getLogger("weft.replica")

Place: TypeAlias = tuple[str, ...]
"""``t`` and the ids of table, row and cell; ``v`` and a value's id; or nothing, for all that there is."""

_EVERYTHING: Place = ()


class MergeableReplicaContent(ReplicaContent):
    """The document of a replica, and what the server has of it.

    Args:
        rows: Of the file.
        meta: Of the file.
        append: As of the base class; ``changed`` likewise.
        limits: Bounds of what is received, which the protocol's session looks at.

    Raises:
        RemoteProtocolError: The rows are no document.
    """

    def __init__(
        self,
        rows: Sequence[Row],
        meta: Meta,
        *,
        append: Callable[[bytes, bool], int],
        changed: Callable[[bool], None],
        limits: Limits,
    ) -> None:
        super().__init__(append, changed)
        del limits
        self.doc = _read_rows([row.data for row in rows])
        self.doc.clock.resume(self.doc.get_latest_hlc())  # whatever the machine's clock has been set to
        self._author = self.doc.clock.client_id = meta.author
        self._own = OwnRows(rows, meta)
        self._folded: set[Place] = {tuple(place) for place in meta.places}
        # Of a log that was compacted, up to which row, and the places of the rows that are to be folded.
        self._compacted: tuple[int, dict[int, set[Place]]] | None = None
        self._hear(self.doc, self.doc.subscribe(self._heard))

    def _heard(self, event: MergeableEvent) -> None:
        is_own = self._is_own(event.origin)
        data = to_json(event.changes[:2] if event.is_whole else event.changes).encode()
        self._own.add(self._append(data, is_own), data, is_own=is_own)
        if not is_own and _has_author(event.changes, self._author):
            self._renew_author()

    def _renew_author(self) -> None:
        """The server has what was never written here: a machine that was set back has a twin, or had one."""
        before = self._author
        self._author = self.doc.clock.client_id = get_unique_id(len(before))
        _log.warning("client id %s is used by another: it goes on under %s", before, self._author)
        self._changed(True)

    # --- what the server has

    def connected(self, session: object) -> None:
        """A connection to the server begins."""
        self._server = session

    def disconnected(self) -> None:
        """The connection is over."""

    def position(self) -> int:
        """How far it is now, for :meth:`confirmed`."""
        return self._own.last

    def confirmed(self, position: int) -> None:
        """The server has all that was there at a position."""
        if self._own.confirmed(position):
            self._folded = set()
        self._changed(False)

    def lacking(self) -> None:
        """The server lacks something: if it had confirmed everything, it has lost some of that."""
        if not self.pending():
            self._own.owe(0)
            self._folded.add(_EVERYTHING)
            self._changed(False)

    def pending(self) -> Pending:
        """What the server has not confirmed."""
        return self._own.pending()

    def pending_content(self) -> bytes:
        """The same as changes in JSON text, of the stamps that are there now; empty without any."""
        if not self.pending():
            return b""
        places = self._places()
        if _EVERYTHING in places:
            return row_of(self.doc)
        tables: dict[str, dict[str, list[str]]] = {}
        for place in places:
            if len(place) == 4:
                tables.setdefault(place[1], {}).setdefault(place[2], []).append(place[3])
        values = [place[1] for place in places if len(place) == 2]
        return to_json(self.doc.get_stamps(tables, values)).encode()

    def pending_paths(self) -> tuple[set[Place], set[Place]]:
        """The places of the same; deleted ones among them. Takes time by what is pending."""
        places = self._places()
        if _EVERYTHING in places:
            places = set(_places_in(read_row(row_of(self.doc))))
        return places, set()

    def _places(self) -> set[Place]:
        return self._folded.union(*(_places_in(read_row(row)) for row in self._own.recent.values()))

    def note(self, meta: Meta) -> Meta:
        """What is to stand in the file of it."""
        compacted, self._compacted = self._compacted, None
        if compacted is not None:
            last, places = compacted
            self._folded.update(*(places[number] for number in self._own.fold(last)))
        return replace(self._own.note(meta), author=self._author, places=tuple(self._folded))

    def compactor(self, last: int) -> Compactor:
        """What makes one row of those up to a number, on another thread."""
        own = {number: row for number, row in self._own.recent.items() if number <= last}

        def compact(rows: Sequence[bytes]) -> Compacted | None:
            made = _compact(rows)
            if made is not None:  # folded when the file is told of it, unless confirmed by then
                self._compacted = (
                    last,
                    {number: set(_places_in(read_row(row))) for number, row in own.items()},
                )
            return made

        return compact


def _is_whole(row: bytes) -> bool:
    return not row.endswith(b",1]")


def _read_rows(rows: Sequence[bytes]) -> MergeableDocument:
    """The document that rows make: from the last one on with which everything was replaced."""
    first = max((at for at, row in enumerate(rows) if _is_whole(row)), default=0)
    return from_rows(rows[first:])


def _compact(rows: Sequence[bytes]) -> Compacted | None:
    return Compacted(row_of(_read_rows(rows)), frozenset()) if len(rows) > 1 else None


def _places_in(checked: Checked) -> Iterable[Place]:
    for table_id, table in checked.tables.children.items():
        for row_id, row in table.children.items():
            for cell_id in row.children:
                yield "t", table_id, row_id, cell_id
    for value_id in checked.values.children:
        yield "v", value_id


def _has_author(changes: MergeableChanges, author: str) -> bool:
    rows = [row for table in changes[0][0].values() for row in table[0].values()]
    return any(
        len(stamp) > 1 and stamp[1].endswith(author)
        for things in (*rows, changes[1])
        for stamp in things[0].values()
    )
