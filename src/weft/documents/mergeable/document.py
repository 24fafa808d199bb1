"""A mergeable document: cells and values with stamps of a clock, of which the later one wins.

The format, the clock and the hashes are TinyBase's (10.0.1), so two of them, in whatever language,
become equal by exchanging what the hashes say is different. Nothing is ever forgotten: what was deleted stays
as a stamp.
"""

from __future__ import annotations

import logging
from _thread import get_ident
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING

from weft._support.callbacks import check_callback
from weft._support.collection import CollectionPaused
from weft.documents.mergeable.clock import Clock, latest_allowed
from weft.documents.mergeable.content import check_changes, check_content
from weft.documents.mergeable.events import MergeableEvent, Subscriber, Touched, Undo
from weft.documents.mergeable.hashes import get_cell_hash
from weft.documents.mergeable.reading import Reading
from weft.documents.mergeable.stamps import Group, Things
from weft.documents.owned import Owned
from weft.errors import LocalProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from weft.documents.mergeable.content import Checked, CheckedStamp, Stamp
    from weft.values import Stored, Undefined

__all__ = ["MergeableDocument"]

_log = logging.getLogger("weft.documents")


class MergeableDocument(Reading, Owned):
    """Tables and values that merge with any other ones, and keep what JavaScript's TinyBase keeps.

    Args:
        unique_id: An id of its own, from which the client's part of its stamps is made; by default random.
            No two that write may have the same.
        get_now: Gives the time in milliseconds since 1970, by default the machine's.

    Attributes:
        clock: The clock that its stamps are made with.
    """

    __slots__ = (
        "__weakref__",
        "_depth",
        "_events",
        "_origin",
        "_received",
        "_subscribers",
        "_tables",
        "_touched",
        "_undo",
        "_values",
        "_whole",
        "clock",
    )

    def __init__(self, unique_id: str | None = None, *, get_now: Callable[[], float] | None = None) -> None:
        super().__init__()
        self.clock = Clock(unique_id, get_now)
        self._tables: Group[Group[Things]] = Group()
        self._values = Things()
        self._subscribers: list[Subscriber] = []
        self._events: deque[MergeableEvent] = deque()
        self._touched = Touched({}, {})
        self._undo: list[Undo] | None = None
        self._origin: object | None = None
        self._received = False
        self._whole = False
        self._depth = 0

    def __repr__(self) -> str:
        return f"<MergeableDocument {self.clock.client_id} of {len(self._tables.children)} tables>"

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        return self._depth != 0

    # -- writing ---------------------------------------------------------------------------------------------

    @contextmanager
    def transaction(self, *, origin: object = None, undo: list[Undo] | None = None) -> Iterator[None]:
        """Write several things, of which subscribers hear at once.

        What was written before an error stays. A transaction within another one is part of it.

        Args:
            origin: Who writes, for events; compared by identity.
            undo: Takes what is stamped, of which nobody hears then: :meth:`tell` or :meth:`take_back` has to
                be called with it.

        Raises:
            WrongThreadError: The document belongs to another thread.
            DocumentClosedError: It was closed.
        """
        self._begin(origin)
        if undo is not None:
            self._undo = undo
        try:
            yield
        finally:
            self._end()

    def set_cell(
        self,
        table_id: str,
        row_id: str,
        cell_id: str,
        stored: Stored | Undefined,
        hlc: str | None = None,
    ) -> bool:
        """Write a cell, or delete it where ``stored`` is ``UNDEFINED``.

        Args:
            table_id: Its table.
            row_id: Its row.
            cell_id: The cell.
            stored: Its stored form: ``weft.values.encode_cell`` makes it.
            hlc: Its stamp; by default the clock's next. The empty one is for what is there by default: it is
                written only where nothing else is.

        Returns:
            Whether it was written: not where the stamp that is there is as late.

        Raises:
            LocalProtocolError: The clock has no later stamp than the one that is there. Nothing changed.
        """
        self._begin(None)
        try:
            return self._stamp(self._row(table_id, row_id), (table_id, row_id, cell_id), stored, hlc)
        finally:
            self._end()

    def set_value(self, value_id: str, stored: Stored | Undefined, hlc: str | None = None) -> bool:
        """Write a value, or delete it: as :meth:`set_cell`."""
        self._begin(None)
        try:
            return self._stamp(self._values, (value_id,), stored, hlc)
        finally:
            self._end()

    def write_cell(
        self, table_id: str, row_id: str, cell_id: str, stored: Stored | Undefined, origin: object
    ) -> None:
        """Write a cell with the clock's next stamp, in a transaction of its own: as :meth:`set_cell`."""
        if self._depth or self._listens_to(origin):
            with self.transaction(origin=origin):
                self.set_cell(table_id, row_id, cell_id, stored)
            return
        if get_ident() != self._owner.thread:
            self._owner.check()
        row = self._row(table_id, row_id)
        hlc = self.clock.next()
        before = row.stamps.get(cell_id)
        if before is not None and hlc <= before[1]:
            raise _no_later(before, cell_id)
        row.set(cell_id, (stored, hlc))

    def _listens_to(self, origin: object) -> bool:
        """Whether anybody hears of transactions of this origin."""
        return any(but is not origin or origin is None for _, but in self._subscribers)

    def tell(self, undo: list[Undo]) -> None:
        """Let subscribers hear, at the end of the transaction, of what a former one has stamped."""
        self._begin(None)
        for path, _, _ in undo:
            self._touch(path)
        self._end()

    def take_back(self, undo: list[Undo]) -> None:
        """Take back what a transaction has stamped, but where another stamp has come since."""
        self.check_owner()
        for path, before, stamp in reversed(undo):
            if len(path) == 1:
                if self._values.stamps.get(path[0]) is stamp:
                    self._values.restore(path[0], before)
                continue
            table_id, row_id, cell_id = path
            row = self._row(table_id, row_id)
            if row.stamps.get(cell_id) is stamp:
                row.restore(cell_id, before)
            if not row.stamps and not row.hlc:
                table = self._tables.children[table_id]
                table.drop(row_id)
                if not table.children and not table.hlc:
                    self._tables.drop(table_id)

    def _row(self, table_id: str, row_id: str) -> Things:
        """Give a row that is to be written to, made where there is none."""
        tables = self._tables
        table = tables.children.get(table_id)
        if table is None:
            table = tables.children[table_id] = Group()
        if table.counted >= 0 or not table.children:
            tables.touch(table_id, table)
        row = table.children.get(row_id)
        if row is None:
            row = table.children[row_id] = Things()
            table.touch(row_id, row)
        elif row.counted >= 0:
            table.touch(row_id, row)
        return row

    def _stamp(
        self, things: Things, path: tuple[str, ...], stored: Stored | Undefined, hlc: str | None
    ) -> bool:
        before = things.stamps.get(path[-1])
        if hlc is None:
            hlc = self.clock.next()
            if before is not None and hlc <= before[1]:
                raise _no_later(before, path[-1])
        else:
            self.clock.seen(hlc)
            if before is not None and hlc <= before[1] and before[1]:
                return False
        stamp = stored, hlc
        things.set(path[-1], stamp)
        if self._undo is None:
            self._touch(path)
        else:
            self._undo.append(Undo(path, before, stamp))
        return True

    def _touch(self, path: tuple[str, ...]) -> None:
        """Remember what is to be told of."""
        if len(path) == 1:
            self._touched.values[path[0]] = None
        else:
            self._touched.tables.setdefault(path[0], {}).setdefault(path[1], {})[path[2]] = None

    # -- merging ---------------------------------------------------------------------------------------------

    def apply(self, changes: object, *, origin: object = None) -> bool:
        """Merge changes or content of another document: of each cell and value the later stamp wins.

        Where both have the empty stamp, the one with the greater hash wins, so that all agree. (TinyBase
        takes what comes, and two of them that merge with each other swap.)

        Args:
            changes: Changes, or content, as :meth:`get_content` or ``from_json`` gives it.
            origin: Who brought it, for events.

        Returns:
            Whether any of it was news.

        Raises:
            RemoteProtocolError: It is malformed, or has a stamp more than five minutes ahead of the clock
                here. Nothing was applied.
            WrongThreadError: The document belongs to another thread. Nothing was applied.
            DocumentClosedError: It was closed. Nothing was applied.
        """
        self.check_owner()
        with CollectionPaused():
            checked = check_changes(changes, latest_allowed(self.clock.now))
        return self.apply_checked(checked, origin=origin)

    def apply_checked(self, checked: Checked, *, origin: object = None) -> bool:
        """Merge what ``check_changes`` has checked: as :meth:`apply`."""
        self._begin(origin, received=True)
        try:
            touched = self._touched
            with CollectionPaused():
                latest = max(self._merge_tables(checked.tables, touched), checked.values.hlc)
                latest = max(latest, self._merge_things(self._values, checked.values, touched.values))
            self.clock.seen(latest)
            return bool(touched.tables or touched.values)
        finally:
            self._end()

    def _merge_tables(self, incoming: CheckedStamp, touched: Touched) -> str:
        tables, latest = self._tables, incoming.hlc
        for table_id, checked_table in incoming.children.items():
            table = tables.children.get(table_id)
            if table is None:
                table = tables.children[table_id] = Group()
            tables.touch(table_id, table)
            for row_id, checked_row in checked_table.children.items():
                row = table.children.get(row_id)
                if row is None:
                    # The dictionary was made when it was checked, and is nobody else's.
                    table.children[row_id] = row = Things(checked_row.children, checked_row.hlc)
                    table.touch(row_id, row)
                    if row.stamps:
                        touched.tables.setdefault(table_id, {})[row_id] = dict.fromkeys(row.stamps)
                        latest = max(latest, *[stamp[1] for stamp in row.stamps.values()])
                    latest = max(latest, row.hlc)
                    continue
                table.touch(row_id, row)
                cells: dict[str, None] = {}
                latest = max(latest, self._merge_things(row, checked_row, cells))
                if cells:
                    touched.tables.setdefault(table_id, {}).setdefault(row_id, {}).update(cells)
            if checked_table.hlc > table.hlc:
                table.set_hlc(checked_table.hlc)
            latest = max(latest, checked_table.hlc)
        if incoming.hlc > tables.hlc:
            tables.set_hlc(incoming.hlc)
        return latest

    def _merge_things(self, things: Things, incoming: CheckedStamp, touched: dict[str, None]) -> str:
        latest = incoming.hlc
        stamp: Stamp
        for thing_id, stamp in incoming.children.items():
            hlc = stamp[1]
            before = things.stamps.get(thing_id)
            if (
                before is not None
                and hlc <= before[1]
                and (before[1] or get_cell_hash(*stamp) <= get_cell_hash(*before))
            ):
                continue
            things.set(thing_id, stamp)
            touched[thing_id] = None
            latest = max(latest, hlc)
        if incoming.hlc > things.hlc:
            things.set_hlc(incoming.hlc)
        return latest

    def set_content(self, content: object, *, origin: object = None) -> None:
        """Replace everything, stamps and what was deleted included.

        Hashes in the content are checked to be there, and made anew. Subscribers hear of all that there
        is now, and of what is not there any more nothing.

        Args:
            content: As :meth:`get_content` gives it.
            origin: Who brought it, for events.

        Raises:
            RemoteProtocolError: It is malformed, lacks a hash, or has a stamp more than five minutes ahead of
                the clock here. Nothing changed.
            LocalProtocolError: A transaction is open.
        """
        self.check_owner()
        if self.in_transaction:
            raise LocalProtocolError("content cannot be replaced while a transaction is open")
        with CollectionPaused():
            checked = check_content(content, latest_allowed(self.clock.now))
        self._begin(origin, received=True)
        try:
            self._tables = Group()
            self._values = Things()
            self._whole = True
            self.apply_checked(checked)
        finally:
            self._end()

    # -- events ----------------------------------------------------------------------------------------------

    def subscribe(
        self, callback: Callable[[MergeableEvent], None], *, but: object = None
    ) -> Callable[[], None]:
        """Hear of each transaction that stamped something, once and in order.

        The callback runs after the transaction and may write. What it raises is logged.

        Args:
            callback: Called with each event.
            but: An origin of whose transactions it does not want to hear.

        Returns:
            A function that ends the subscription; calling it again does nothing.

        Raises:
            WrongThreadError: The document belongs to another thread.
            DocumentClosedError: The document was closed.
        """
        check_callback(callback)
        hold = self._owner.hold()
        subscriber = Subscriber(callback, but)
        self._subscribers.append(subscriber)
        return self._until_ended(lambda: self._unsubscribe(subscriber), hold)

    def _unsubscribe(self, subscriber: Subscriber) -> None:
        if subscriber in self._subscribers:
            self._subscribers.remove(subscriber)

    def _begin(self, origin: object, *, received: bool = False) -> None:
        if not self._depth:
            self.check_owner()
            self._touched = Touched({}, {})
            self._origin = origin
            self._received = received
        elif received != self._received:
            raise LocalProtocolError("what is received and what is written are transactions of their own")
        self._depth += 1

    def _end(self) -> None:
        self._depth -= 1
        if self._depth:
            return
        touched, origin, is_whole = self._touched, self._origin, self._whole
        self._undo, self._origin, self._whole = None, None, False
        if not (touched.tables or touched.values or is_whole):
            return
        if not self._listens_to(origin):
            return
        with CollectionPaused():
            changes = self.get_stamps(touched.tables, touched.values)
        self._events.append(MergeableEvent(changes, origin, not self._received, is_whole))
        if len(self._events) == 1:  # else a subscriber wrote, and the others first hear of what came before
            self._tell_events()

    def _tell_events(self) -> None:
        events = self._events
        try:
            while events:
                event = events[0]
                for callback, but in tuple(self._subscribers):
                    if event.origin is None or but is not event.origin:
                        try:
                            callback(event)
                        except Exception:  # noqa: BLE001 - whatever it is, the others are told
                            _log.exception("a subscriber of a mergeable document failed")
                events.popleft()
        finally:
            events.clear()


def _no_later(before: Stamp, thing_id: str) -> LocalProtocolError:
    return LocalProtocolError(f"the clock has no stamp later than {before[1]!r}, which {thing_id!r:.100} has")
