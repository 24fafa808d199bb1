"""What remains to be done on a bridge when other processes write to the room as well.

A process translates what its own clients write, and only that: the translations are stored with the write, in
one transaction, and reach the other processes by the logs of the other sides. What they have stored is taken
in on each side as it is. If everybody translated everything, an edit would be made once a process, and two
that do not know of each other could answer each other for ever where Yjs and Automerge let different ones of
concurrent writes win.

Two clients may do that: write one cell at once, in different processes. So the cells that came from elsewhere
are noted, and compared half a second later. Where they differ, what the mergeable document has is taken, a
deletion too: every edit has a stamp there, of a clock that has seen all that the process has taken in, so who
has seen another's edit, on whichever side, has the later stamp. Nothing is written to that side but what it
has neither held nor deleted, so no such decision can win over an edit that came meanwhile.

This comes to an end: when nobody writes any more, and everybody has taken in what there is, whoever compares
has the same documents, and so decides the same; all who do it at once write the same. What was decided
earlier, in ignorance of something, is taken in by the others as any write is, and compared again.

When a bridge is opened nobody knows whether a side was changed without the others. Then deletions count for
nothing: what any side holds all get, and where cells differ the mergeable document's is taken, or else
Automerge's.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from weft.mirrors.mirror import is_equal
from weft.store.replica import Paths
from weft.values import UNDEFINED

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from weft.mirrors.mergeable import MergeableMirror
    from weft.mirrors.mirror import Mirror

__all__ = ["Settlement"]

_log = logging.getLogger("weft.server")

_CALM_S = 0.5

Place: TypeAlias = tuple[str, ...]
"""Table, row and cell id; or a value id."""

Values: TypeAlias = "Mapping[str, object]"
Tables: TypeAlias = "Mapping[str, Mapping[str, Values]]"


class Settlement:
    """Compares on all sides of a bridge what other processes have written.

    Args:
        mergeable: The mirror of the side with stamps, not started.
        others: The mirrors of the other sides: where cells differ, those of the earlier one are taken.

    Attributes:
        is_opening: Whether nothing has been compared yet.
    """

    def __init__(self, mergeable: MergeableMirror, *others: Mirror) -> None:
        self._mergeable = mergeable
        self._mirrors: Sequence[Mirror] = (mergeable, *others)
        self.is_opening = True
        self._noted: dict[Place, None] = {}
        self._mute: Collection[Mirror] = self._mirrors  # which are not to write now what the Store has got
        self._is_bringing = False  # something from one side to the others
        self._timer: asyncio.TimerHandle | None = None
        for mirror in self._mirrors:
            mirror.judged_by(partial(self._judge, mirror))

    def started(self) -> None:
        """All mirrors have started; what differed then is noted."""
        self._mute = ()

    @property
    def is_settled(self) -> bool:
        """Whether there is nothing to be compared."""
        return not self._noted

    def close(self) -> None:
        """Compare nothing any more."""
        if self._timer is not None:
            self._timer.cancel()

    @contextmanager
    def hearing(self, mirror: Mirror) -> Iterator[None]:
        """While the side of this mirror takes in what other processes have stored."""
        self._mute = [other for other in self._mirrors if other is not mirror]
        try:
            yield
        finally:
            self._mute = ()
        if self._noted and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_CALM_S, self._settle_noted)

    def _judge(self, mirror: Mirror, tables: Tables, values: Values) -> bool:
        if mirror not in self._mute:
            return True
        if not self._is_bringing:
            self._noted.update((place, None) for place, _ in _places(tables, values))
        return False

    def _settle_noted(self) -> None:
        try:
            self.settle()
        except Exception:  # noqa: BLE001 - of a side that is closed; a bridge that is opened anew begins afresh
            _log.exception("the sides of a bridge could not be compared")

    def settle(self) -> None:
        """Compare now what has been noted."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        noted, self._noted = self._noted, {}
        is_opening, self.is_opening = self.is_opening, False
        deleted = () if is_opening else self._mergeable.deleted_at(_paths(noted))
        self._compare(noted, deleted)

    def _compare(self, places: Collection[Place], deleted: Collection[Place]) -> None:
        found = {mirror: _read(mirror, places) for mirror in self._mirrors}
        winners: dict[Mirror, list[Place]] = {mirror: [] for mirror in self._mirrors}
        for at in places:
            first, *others = (held[at] for held in found.values())
            if not all(is_equal(first, other) for other in others):
                holders = [mirror for mirror, held in found.items() if held[at] is not UNDEFINED]
                winners[self._mergeable if at in deleted else holders[0]].append(at)
        for mirror, won in winners.items():
            self._bring(won, mirror, found[mirror])

    def _bring(self, places: Collection[Place], source: Mirror, found: Mapping[Place, object]) -> None:
        """Have the other sides take over what one has at these places."""
        if not places:
            return
        self._is_bringing, self._mute = True, self._mirrors
        try:
            source.take_over(_paths(places))
            self._mute = ()
            # What no Store can hold stays where it is.
            has_cell, has_value = source.store.has_cell, source.store.has_value
            held = [
                at
                for at in places
                if found[at] is UNDEFINED or (has_cell(*at) if len(at) == 3 else has_value(*at))
            ]
            for mirror in self._mirrors:
                if mirror is not source:
                    mirror.write_again(_paths(held))
        finally:
            self._is_bringing, self._mute = False, ()


def _places(tables: Tables, values: Values) -> Iterator[tuple[Place, object]]:
    for table_id, rows in tables.items():
        for row_id, cells in rows.items():
            for cell_id, cell in cells.items():
                yield (table_id, row_id, cell_id), cell
    for value_id, value in values.items():
        yield (value_id,), value


def _paths(places: Iterable[Place]) -> Paths:
    paths = Paths()
    for place in places:
        if len(place) == 3:
            paths.add({place[0]: {place[1]: place[2:]}})
        else:
            paths.add({}, place)
    return paths


def _read(mirror: Mirror, places: Iterable[Place]) -> dict[Place, object]:
    """What a document holds at these places."""
    return dict(_places(*mirror.read_places(_paths(places))))
