"""Joining updates, and taking from one what a peer lacks, without knowing what was before.

Nothing is looked up, so what an update refers to need not be there. Structs stay the bytes they are.

Format: yjs ``updates.js`` (``mergeUpdates``, ``diffUpdate``, ``encodeStateVectorFromUpdate``).
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING

from weft._codecs.yjs.items import cut_front
from weft._codecs.yjs.lib0 import Writer
from weft._codecs.yjs.ranges import Ranges, encode_deletes
from weft._codecs.yjs.run import Run
from weft._codecs.yjs.small import read_small
from weft._codecs.yjs.state import State, decode_state_vector, encode_state_vector
from weft._codecs.yjs.stored import find_struct
from weft._codecs.yjs.structs import STORED, read_update

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["diff_update", "merge_updates", "state_vector_of"]

_SKIP = 10


def merge_updates(updates: Iterable[bytes]) -> bytes:
    """Make one update that stands for several, in whatever order they are given.

    Args:
        updates: Yjs v1 updates of one document.

    Returns:
        One that brings what they bring. Where structs of a client are missing between others, it says so as
        Yjs does (Skip), and readers wait for them.

    Raises:
        RemoteProtocolError: One of them is not an update.
    """
    runs: dict[int, list[Run]] = {}
    deletes: dict[int, Ranges] = {}
    for update in updates:
        small = read_small(update)
        if small is not None:
            run = Run(update, small.client, small.clock, small.begin)
            run.count, run.end, run.stop = 1, small.end, small.stop
            found = [run]
            if small.deleted is not None:
                client, clock, length = small.deleted
                deletes.setdefault(client, Ranges()).add(clock, clock + length)
        else:
            found, deleted = read_update(update, STORED)
            for client, ranges in deleted.items():
                deletes.setdefault(client, Ranges()).update(ranges)
        for run in found:
            runs.setdefault(run.client, []).append(run)
    return _write(runs, {}, encode_deletes(deletes))


def diff_update(update: bytes, state_vector: bytes) -> bytes:
    """Take from an update what somebody lacks who has told a state vector.

    Args:
        update: Yjs v1 update.
        state_vector: Yjs state vector of who is to be given it.

    Returns:
        An update with what comes after that, of each client from the struct on that holds the clock, and all
        deletions.

    Raises:
        RemoteProtocolError: The bytes are not an update, or not a state vector.
    """
    found, deleted = read_update(update, STORED)
    runs: dict[int, list[Run]] = {}
    for run in found:
        runs.setdefault(run.client, []).append(run)
    return _write(runs, decode_state_vector(state_vector), encode_deletes(deleted))


def state_vector_of(update: bytes) -> bytes:
    """The state vector of a document that holds an update and nothing else.

    Args:
        update: Yjs v1 update.

    Returns:
        Of each client the clock up to which its structs are there, from clock 0 on and without a hole.

    Raises:
        RemoteProtocolError: The bytes are not an update.
    """
    state = {run.client: run.end for run in read_update(update, STORED)[0] if not run.clock}
    return encode_state_vector(state)


def _write(runs: dict[int, list[Run]], known: State, deletes: bytes) -> bytes:
    """Write an update of runs that may overlap, without what is before a clock."""
    sections = 0
    out = Writer()
    for client in sorted(runs, reverse=True):
        clock = start = known.get(client, 0)
        count = 0
        section = Writer()
        for run in sorted(runs[client], key=attrgetter("clock")):
            if run.end <= clock:
                continue
            ordinal, at = 0, run.begin
            if run.clock < clock:
                ordinal, at, first = find_struct(run.data, at, run.count, run.clock, clock)
                if not count:
                    start = first
                elif first < clock:
                    rest, _, at = cut_front(run.data, at, client, first, clock - first)
                    section.raw(rest)
                    ordinal += 1
                    count += 1
            elif not count:
                start = run.clock
            elif run.clock > clock:
                section.byte(_SKIP).uint(run.clock - clock)
                count += 1
            section.raw(run.data[at : run.stop])
            count += run.count - ordinal
            clock = run.end
        if count:
            out.uint(count).uint(client).uint(start).raw(section.finish())
            sections += 1
    return Writer().uint(sections).raw(out.finish()).raw(deletes).finish()
