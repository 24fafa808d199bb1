"""Updates that nobody honest sends: refused or held or read alike by Yjs, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from differential.updates.attack import attack
from support.fuzzing import fuzz_seed
from support.ywriter import key_item, section, update
from weft._codecs.yjs.lib0 import Writer
from weft.documents import UpdateLog
from weft.errors import RemoteProtocolError

if TYPE_CHECKING:
    from support.node import SyncJsPeer

pytestmark = pytest.mark.interop


@pytest.mark.parametrize("part", range(10))
def test_a_hostile_update_is_refused_held_or_read_by_yjs_as_by_the_log(
    part: int, js_session: SyncJsPeer
) -> None:
    attacked = attack(js_session, fuzz_seed(f"updates {part}"), histories=20, updates=50)
    assert attacked.wrong == []
    assert min(attacked.refused, attacked.taken, attacked.held) >= 30


def test_a_text_that_takes_a_keys_place_is_refused(js_session: SyncJsPeer) -> None:
    # A text of four clocks behind a map's value is the value of that key; cut by what comes behind its half,
    # only a part of it is deleted, and Yjs throws when the map is collected.
    type_map = key_item("t", b"\x01", ref=7)
    value = Writer().byte(0x28).byte(0).uint(1).uint(0).string("k").raw(b"\x01\x7e").finish()
    text = Writer().byte(0x84).uint(1).uint(1).string("abcd").finish()
    behind = Writer().byte(0x88).uint(1).uint(3).raw(b"\x01\x7e").finish()
    deletes = b"\x01\x01\x01\x00\x01"
    forged = update(section(2, 0, behind), section(1, 0, type_map, value, text), deletes=deletes)
    (loaded,) = js_session("update.load", lists=[[forged]])
    assert "Unexpected case" in loaded["error"]
    with pytest.raises(RemoteProtocolError, match="1:2 is several values of one key"):
        UpdateLog().add(forged)


def test_overwritten_values_go_out_with_their_deletion_while_the_rest_of_their_update_waits(
    js_session: SyncJsPeer,
) -> None:
    # Three overwritten values of a key in one struct, and beside it what waits for somebody's struct.
    first = key_item("m", b"\x01", ref=7)
    value = Writer().byte(0x28).byte(0).uint(1).uint(0).string("k").raw(b"\x01\x7e").finish()
    three = Writer().byte(0x88).uint(1).uint(1).raw(b"\x03\x7e\x7e\x7e").finish()
    waits = Writer().byte(0x88).uint(3).uint(0).raw(b"\x01\x7e").finish()
    deletes = b"\x01\x01\x01\x01\x04"
    log = UpdateLog()
    added = log.add(update(section(2, 0, waits), section(1, 0, first, value, three), deletes=deletes))
    assert added.held
    (part,) = added.updates
    assert UpdateLog.of([part]).state() == log.state() == {1: 5}
    (loaded,) = js_session("update.load", lists=[[part]])
    assert (loaded["state"], loaded["waits"]) == ("1:5", False)
