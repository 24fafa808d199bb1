"""Content that is known is sent again in other words, and nobody is blamed; other content is noticed."""

from __future__ import annotations

import random
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from pycrdt import Doc

from support.fuzzing import fuzz_seed
from weft._codecs.yjs.items import STRING
from weft.documents import UpdateLog
from weft.errors import RemoteProtocolError

if TYPE_CHECKING:
    from support.node import SyncJsPeer

pytestmark = pytest.mark.interop

HISTORIES = 50


def histories(js: SyncJsPeer, start: int) -> list[tuple[list[bytes], list[bytes]]]:
    """Updates of histories, and the same in other words."""
    made = js("update.make", histories=[{"seed": seed} for seed in range(start, start + HISTORIES)])
    lists = [questions["updates"] for questions in made]
    return list(zip(lists, js("update.resent", lists=lists), strict=True))


@pytest.mark.parametrize("start", [0, 5_000])
def test_nobody_is_blamed_for_what_is_the_same(start: int, js_session: SyncJsPeer) -> None:
    rng = random.Random(fuzz_seed(f"resent {start}"))
    for updates, resent in histories(js_session, start):
        log = UpdateLog()
        for each in rng.sample(updates, len(updates)):
            log.add(each, origin="peer")
        for each in [*resent, *updates]:
            log.add(each, origin="peer")
        for each in _by_the_binding(log.diff()):
            try:
                log.add(each, origin="peer")
            except RemoteProtocolError as error:  # clocks that are off may refer to what comes after them
                assert "known as something else" not in str(error)  # noqa: PT017
        for first in resent:
            log = UpdateLog.of([first])
            for each in rng.sample([*resent, *updates], len(resent) + len(updates)):
                log.add(each, origin="peer")
            assert log.missing == {}


def _by_the_binding(update: bytes) -> list[bytes]:
    """As yrs encodes it, where it can read it."""
    with suppress(BaseException):
        doc: Doc[Any] = Doc()
        doc.apply_update(update)
        return [doc.get_update()]
    return []


def test_other_content_under_known_ids_is_noticed(js_session: SyncJsPeer) -> None:
    noticed = compared = 0
    for updates, resent in histories(js_session, 0):
        log = UpdateLog.of([*updates, resent[1]])
        structs = UpdateLog.of([resent[1]]).structs().values()
        for found in (item for client in structs for item in client if item.ref == STRING):
            text = found.content(found.clock, found.end)
            if not text.isascii() or len(text) < 3 or resent[1].count(text) != 1:
                continue
            compared += 1
            other = resent[1].replace(text, text[:-1] + b"~")
            before = log.diff()
            try:
                log.add(other, origin="peer")
            except RemoteProtocolError as error:
                noticed += "is known as something else" in str(error)
            assert log.diff() == before
    assert compared > 20
    assert noticed > compared // 2  # the rest stands behind a pair that was cut, or is deleted
