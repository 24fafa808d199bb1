"""How many writers of an update wrote at one place without knowing of each other.

yrs compares each of them with all others, so that one update of 545 kB, in which 40,000 clients write one
key, takes half a minute.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from weft._codecs.yjs.items import read_items
from weft.errors import RemoteProtocolError
from weft.limits import DEFAULT_LIMITS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weft._codecs.yjs.run import Run

__all__ = ["MAX_CROWD", "check_crowding"]

MAX_CROWD = DEFAULT_LIMITS.max_crowd


def check_crowding(runs: Sequence[Run], most: int = MAX_CROWD) -> None:
    """Refuse an update in which too many clients write at one place.

    Takes no time where there are fewer clients than that; otherwise linear in the update.

    Raises:
        RemoteProtocolError: There are more.
    """
    if len(runs) <= most:
        return
    crowds: Counter[tuple[object, ...]] = Counter()
    for run in runs:
        places = {
            (item.origin, item.right_origin, item.place())
            for item in read_items(run.data, run.begin, run.count, run.client, run.clock)
        }
        crowds.update(places)
    crowd = max(crowds.values())
    if crowd > most:
        text = f"not a usable update: {crowd} clients that write at one place"
        raise RemoteProtocolError(text, bound="max_crowd")
