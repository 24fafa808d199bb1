"""The hybrid logical clock: TinyBase's stamps, and none that is earlier than another."""

from __future__ import annotations

from typing import Any

import pytest

from support.vectors import vectors
from weft.documents.mergeable import Clock, decode_hlc, encode_hlc, get_unique_id, is_hlc, latest_allowed

VECTORS = vectors("tinybase_mergeable")


@pytest.mark.parametrize("vector", VECTORS["hlcEncode"] + VECTORS["hlcEncodeExplicitClient"])
def test_stamps_are_those_of_tinybase(vector: dict[str, object]) -> None:
    if "uniqueIdForClient" in vector:
        hlc = encode_hlc(73267200000, 0, str(vector["uniqueIdForClient"]))
        assert (hlc, hlc[11:]) == (vector["hlc"], vector["clientId"])
        return
    hlc = encode_hlc(int(str(vector["logicalTime"])), int(str(vector["counter"])), str(vector["uniqueId"]))
    assert hlc == vector["hlc"]
    assert list(decode_hlc(hlc)) == vector["decoded"]


@pytest.mark.parametrize("wrong", [{"unique_id": 5}, {"get_now": 5}])
def test_wrong_arguments_are_refused_at_once(wrong: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=f"for {next(iter(wrong))} is needed here, and this is of type int"):
        Clock(**wrong)


def test_a_clock_goes_as_tinybases_does() -> None:
    now = [0]
    clock = Clock("store1", lambda: now[0])
    given = 0
    for step in VECTORS["hlcSequence"][1:]:
        now[0] = step.get("now", now[0])
        if step["op"].startswith("getNextHlc"):
            assert clock.next() == step["result"], step
            given += 1
        else:
            clock.seen(step["arg"])
    assert given == 7


def test_passing_over_stamps_leaves_out_as_many() -> None:
    one, other = (Clock("a", lambda: 1000) for _ in range(2))
    for _ in range(5):
        one.next()
    other.skip(0)
    other.skip(1)
    other.skip(4)
    assert one.next() == other.next()
    other.skip(2**24)
    assert decode_hlc(other.next())[:2] == (1001, 6)


def test_two_clocks_have_clients_of_their_own() -> None:
    assert Clock().client_id != Clock().client_id
    assert repr(Clock("store1", lambda: 5)) == "<Clock FnHIC, 0 ms, -1>"


@pytest.mark.parametrize("wrong", ["x", "!" * 16, "z" * 17, None, 5, b"-" * 16])
def test_what_is_no_stamp_is_told(wrong: object) -> None:
    assert not is_hlc(wrong)
    with pytest.raises(ValueError, match="no stamp"):
        decode_hlc(wrong)


def test_five_minutes_ahead_are_believed_and_no_more() -> None:
    latest = latest_allowed(1_000_000)
    assert is_hlc(encode_hlc(1_300_000, 2**24 - 1, "a"), latest)
    assert not is_hlc(encode_hlc(1_300_001, 0, "a"), latest)
    assert is_hlc("", latest)


def test_random_ids_are_in_the_alphabet_of_stamps() -> None:
    assert len({get_unique_id() for _ in range(100)}) == 100
    assert all(is_hlc(get_unique_id()) for _ in range(100))
    assert len(get_unique_id(11)) == 11
