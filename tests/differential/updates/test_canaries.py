"""Does the oracle find anything? One fault at a time, each of which must be found."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from pycrdt import Doc

from differential.updates.oracle import again, findings, report, shrunk
from differential.updates.subject import Subject, weft_subject
from weft._codecs.yjs.items import STRING, read_items
from weft._codecs.yjs.lib0 import Writer
from weft._codecs.yjs.state import decode_state_vector
from weft._codecs.yjs.structs import read_update
from weft.documents import UpdateLog, compact_updates, diff_update, merge_updates
from weft.documents.yjs.update_log import Added

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from support.node import SyncJsPeer
    from weft.documents.compaction import Compacted
    from weft.documents.yjs.update_log import CheckedUpdate

pytestmark = pytest.mark.interop

HISTORIES = 60


def _later(vector: bytes, state: dict[int, int]) -> bytes:
    """A state vector that says of one client that one clock more is known."""
    known = decode_state_vector(vector)
    lacking = [client for client, clock in state.items() if clock > known.get(client, 0)]
    if lacking:
        known[min(lacking)] = known.get(min(lacking), 0) + 1
    out = Writer().uint(len(known))
    for client, clock in known.items():
        out.uint(client).uint(clock)
    return out.finish()


class LosesAStruct(UpdateLog):
    def diff(self, state_vector: bytes = b"\0") -> bytes:
        return super().diff(state_vector if state_vector == b"\0" else _later(state_vector, self.state()))


class LosesDeletions(UpdateLog):
    def diff(self, state_vector: bytes = b"\0") -> bytes:
        update = super().diff(state_vector)
        return update[: max((run.stop for run in read_update(update)[0]), default=1)] + b"\0"


class GivesOutTooEarly(UpdateLog):
    def add(self, update: bytes | CheckedUpdate, *, stored: bool = False, origin: object = None) -> Added:
        added = super().add(update, stored=stored, origin=origin)
        assert isinstance(update, bytes)
        return added._replace(updates=(update,)) if added.held else added


class ForgetsWhatWaits(UpdateLog):
    def add(self, update: bytes | CheckedUpdate, *, stored: bool = False, origin: object = None) -> Added:
        waits = not UpdateLog.of([self.diff()]).add(update).updates
        return (
            Added((), held=False, is_new=False)
            if waits
            else super().add(update, stored=stored, origin=origin)
        )


class AnswersByTheBinding(UpdateLog):
    def diff(self, state_vector: bytes = b"\0") -> bytes:
        update = super().diff()
        with suppress(ValueError):  # some contents the binding cannot read at all
            doc: Doc[Any] = Doc()
            doc.apply_update(update)
            return doc.get_update(state_vector)
        return super().diff(state_vector)


def _mended(update: bytes) -> bytes:
    """Put the halves of pairs together again."""
    runs, _ = read_update(update)
    out = Writer().uint(len(runs))
    for run in runs:
        out.uint(run.count).uint(run.client).uint(run.clock)
        for item in read_items(update, run.begin, run.count, run.client, run.clock):
            if item.ref == STRING:
                text = item.content(item.clock, item.end).replace("\ufffd\ufffd".encode(), "😀".encode())
                out.raw(item.head(item.clock, STRING)).bytes(text)
            else:
                out.raw(item.whole())
    return out.raw(update[max((run.stop for run in runs), default=1) :]).finish()


class MendsCutPairs(UpdateLog):
    def diff(self, state_vector: bytes = b"\0") -> bytes:
        return _mended(super().diff(state_vector))


def _compacted_by(change: Callable[[bytes], bytes]) -> Callable[[Sequence[bytes], bool], Compacted | None]:
    def compact(updates: Sequence[bytes], gc: bool) -> Compacted | None:
        compacted = compact_updates(updates, gc=gc)
        return compacted and replace(compacted, snapshot=change(compacted.snapshot))

    return compact


HONEST = weft_subject()
LOGS = (
    LosesAStruct,
    LosesDeletions,
    GivesOutTooEarly,
    ForgetsWhatWaits,
    AnswersByTheBinding,
    MendsCutPairs,
)
CANARIES: dict[str, Subject] = {
    **{log.__name__: replace(HONEST, log=log.of) for log in LOGS},
    "merges all but one": replace(HONEST, merge=lambda updates: merge_updates(updates[1:])),
    "takes too much from an update": replace(
        HONEST,
        diff=lambda update, vector: diff_update(
            update, _later(vector, {run.client: run.end for run in read_update(update)[0]})
        ),
    ),
    "puts cut pairs together": replace(HONEST, compact=_compacted_by(_mended)),
    "compacts without what is deleted": replace(
        HONEST, compact=_compacted_by(lambda update: LosesDeletions.of([update]).diff())
    ),
    "keeps no past": replace(HONEST, compact=lambda updates, _gc: compact_updates(updates, gc=True)),
    "knows no state": replace(HONEST, vector_of=lambda _update: b"\0"),
}


@pytest.mark.parametrize("name", CANARIES)
def test_a_fault_is_found(name: str, js_session: SyncJsPeer) -> None:
    histories = ({"seed": seed} for seed in range(HISTORIES))
    assert next(findings(js_session, CANARIES[name], histories, batch=10), None) is not None


def test_a_history_that_shows_a_fault_is_made_small(js_session: SyncJsPeer) -> None:
    subject = CANARIES["LosesDeletions"]
    histories = ({"seed": seed, "keep": list(range(10))} for seed in range(HISTORIES))
    found = next(findings(js_session, subject, histories, batch=5))
    small = shrunk(js_session, subject, found)
    assert len(small.history["keep"]) < 10
    assert again(js_session, subject, small.history) == small.wrong
    assert again(js_session, HONEST, small.history) == []
    assert f"--seed {found.history['seed']} --keep " in report(small)
