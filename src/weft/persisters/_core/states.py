"""The state machine of every persister, as tables.

A persister does one thing at a time. What it is doing is its :class:`PersisterStatus`; what moves it is an
:class:`Event`; :data:`TRANSITIONS` has every legal pair, and all others are a bug::

             LOAD                 SAVE
    LOADING <------    IDLE    ------> SAVING
            ------>            <------
            DONE, FAILED       DONE, FAILED

What happens to a request depends on the status only in *when* it is served, never in *whether*
(TinyBase 10 drops a save while loading, and the edit with it):

====================  ================  =============================  ====================
request               IDLE              LOADING                        SAVING
====================  ================  =============================  ====================
load()                now               after it, in order             after it, in order
save()                now               after it, in order             after it, in order
the place changed     auto-load: load   load once more afterwards      load afterwards
the Store was edited  auto-save: save   the edit wins over the load    saved next, with all
close()               at once           after it; drops what waits     after it, as before
====================  ================  =============================  ====================

Automatic work is chosen by :data:`NEXT_WORK` from two facts alone, so nothing can be forgotten: whether
the Store lags behind the place (``stale``) and whether the place lags behind the Store (``dirty``). A
failure leaves its fact as it was, and the work is tried again after a pause.
"""

from __future__ import annotations

from enum import Enum, IntEnum, IntFlag
from typing import Final

__all__ = ["NEXT_WORK", "TRANSITIONS", "Event", "PersisterStatus", "Work"]


class PersisterStatus(IntEnum):
    """What a persister is doing. The numbers are TinyBase's."""

    IDLE = 0
    LOADING = 1
    SAVING = 2


class Event(Enum):
    """What moves a persister from one status to another."""

    LOAD = "load"
    SAVE = "save"
    DONE = "done"
    FAILED = "failed"


TRANSITIONS: Final[dict[tuple[PersisterStatus, Event], PersisterStatus]] = {
    (PersisterStatus.IDLE, Event.LOAD): PersisterStatus.LOADING,
    (PersisterStatus.IDLE, Event.SAVE): PersisterStatus.SAVING,
    (PersisterStatus.LOADING, Event.DONE): PersisterStatus.IDLE,
    (PersisterStatus.LOADING, Event.FAILED): PersisterStatus.IDLE,
    (PersisterStatus.SAVING, Event.DONE): PersisterStatus.IDLE,
    (PersisterStatus.SAVING, Event.FAILED): PersisterStatus.IDLE,
}


class Work(IntFlag):
    """What there is to do without being asked."""

    NONE = 0
    LOAD = 1
    SAVE = 2


# (stale, dirty). The load comes first: the edits that are not saved yet are kept by it.
NEXT_WORK: Final[dict[tuple[bool, bool], Work]] = {
    (False, False): Work.NONE,
    (False, True): Work.SAVE,
    (True, False): Work.LOAD,
    (True, True): Work.LOAD | Work.SAVE,
}
