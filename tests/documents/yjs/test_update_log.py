"""The log against the binding, and against updates that nobody honest sends."""

from __future__ import annotations

import random
import subprocess
import sys
from itertools import permutations
from typing import Any

import pytest
from pycrdt import Doc, Map, Text

from support.fuzzing import cases, fuzz_seed
from support.yhistories import content, fed, history
from support.yupdates import honest_updates, yjs_updates
from support.ywriter import ANY_NULL, item, key_item, section, update
from weft._codecs.yjs.lib0 import Writer
from weft._codecs.yjs.state import EMPTY_UPDATE, decode_state_vector
from weft.documents import UpdateLog, diff_update, merge_updates, state_vector_of
from weft.errors import RemoteProtocolError

VALUE = b"\x01" + ANY_NULL
A, B = key_item("a"), key_item("b")


def child(client: int, clock: int, key: str = "k") -> bytes:
    return Writer().byte(0x28).byte(0).uint(client).uint(clock).string(key).raw(VALUE).finish()


def after(client: int, clock: int) -> bytes:
    return Writer().byte(0x88).uint(client).uint(clock).raw(VALUE).finish()


MAP = item(7, b"\x01")


@pytest.mark.parametrize("number", range(20))
def test_a_log_gives_what_the_peers_have_in_whatever_order_it_came(number: int) -> None:
    rng = random.Random(fuzz_seed(f"log {number}"))
    sent, wanted = history(rng)
    for order in (sent, sent[::-1], rng.sample(sent, len(sent))):
        log, given, reader = UpdateLog(), list[bytes](), Doc[Any]()
        for each in order:
            added = log.add(each)
            assert added.held or added.updates or not added.is_new
            for part in added.updates:
                given.append(part)
                reader.apply_update(part)
                assert state_of(reader) == state_of(fed(*given))
        assert log.missing == {}
        assert log.state() == decode_state_vector(log.state_vector())
        assert content(reader) == wanted
        assert content(fed(log.diff())) == content(fed(merge_updates(order))) == wanted
        assert UpdateLog.of(order).diff() == log.diff()
        assert decode_state_vector(state_vector_of(log.diff())) == log.state()
        assert not any(log.add(each).is_new for each in order)


def state_of(doc: Doc[Any]) -> dict[int, int]:
    return decode_state_vector(doc.get_state())


@pytest.mark.parametrize("number", range(10))
def test_a_difference_brings_a_peer_to_where_the_log_is(number: int) -> None:
    rng = random.Random(fuzz_seed(f"differences {number}"))
    log, peer = UpdateLog(), Doc[Any]()
    content(peer)
    for each in history(rng)[0]:
        log.add(each)
        if rng.random() < 0.2:
            update = log.diff(peer.get_state())
            assert update == diff_update(log.diff(), peer.get_state())
            peer.apply_update(update)
            assert state_of(peer) == log.state()
    peer.apply_update(log.diff(peer.get_state()))
    assert content(peer) == content(fed(log.diff()))


@pytest.mark.parametrize("data", [*honest_updates(), *yjs_updates().values()])
def test_an_update_comes_out_as_it_went_in(data: bytes) -> None:
    """Also content that the binding cannot read."""
    log = UpdateLog()
    if not log.add(data).held:
        assert log.diff() == merge_updates([data])


def test_an_empty_log_has_nothing() -> None:
    log = UpdateLog()
    assert log.diff() == log.diff(b"\0") == EMPTY_UPDATE
    assert (log.state(), log.state_vector(), log.missing) == ({}, b"\0", {})
    assert log.add(EMPTY_UPDATE)[:4] == ((), False, False, ())


def test_what_does_not_follow_on_is_held_and_given_out_later() -> None:
    log = UpdateLog()
    late, deletion = update(section(1, 1, B)), update(deletes=b"\1\1\1\1\1")
    assert log.add(late)[:4] == ((), True, True, ())
    assert log.add(late)[:4] == ((), True, False, ())
    assert log.add(deletion).held
    assert log.missing == {1: 2}
    assert log.diff() == EMPTY_UPDATE
    first = update(section(1, 0, A))
    assert log.add(first).updates == (first, update(section(1, 1, B), deletes=b"\1\1\1\1\1"))
    assert log.missing == {}
    assert log.diff() == update(section(1, 0, A, B), deletes=b"\1\1\1\1\1")


def test_of_an_update_with_a_hole_only_what_is_before_it_is_given_out() -> None:
    log = UpdateLog()
    holed = update(section(2, 0, A), section(1, 0, A, b"\x0a\x01", B), deletes=b"\1\2\1\0\1")
    assert log.add(holed)[:4] == ((update(section(2, 0, A), section(1, 0, A)),), True, True, ())
    assert log.missing == {1: 2}
    filling = update(section(1, 1, A))
    assert log.add(filling).updates == (filling, update(section(1, 2, B), deletes=b"\1\2\1\0\1"))


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_structs_that_need_one_another_in_turns_come_in_one_update(order: tuple[int, ...]) -> None:
    sections = [
        section(1, 0, A, after(2, 0), after(3, 1)),
        section(2, 0, after(1, 0), after(3, 0)),
        section(3, 0, after(2, 0), after(2, 1)),
    ]
    data = update(*(sections[at] for at in order))
    log = UpdateLog()
    assert log.add(data).updates == (data,)
    assert log.state() == {1: 3, 2: 2, 3: 2}


def test_structs_that_wait_for_one_another_are_held() -> None:
    log = UpdateLog()
    circle = update(section(1, 0, A, after(2, 1)), section(2, 0, A, after(1, 1)))
    added = log.add(circle)
    assert added.held
    assert added.updates == (update(section(2, 0, A), section(1, 0, A)),)
    assert log.missing == {1: 2, 2: 2}


def test_somebody_elses_joining_of_what_came_apart_is_cut() -> None:
    log = UpdateLog()
    log.add(update(section(1, 0, item(4, b"\x03abc"))))
    joined = update(section(1, 1, b"\x84\x01\x00\x04bcde"))
    rest = update(section(1, 3, b"\x84\x01\x02\x02de"))
    assert log.add(joined).updates == (rest,)
    assert log.state() == {1: 5}
    assert str(fed(log.diff()).get("r", type=Text)) == "abcde"
    assert log.diff(b"\1\1\4") == rest


def test_what_another_struct_under_a_known_id_needs_is_needed() -> None:
    log = UpdateLog()
    log.add(update(section(1, 0, A)))
    # Yjs would wait for 2:5 at the first struct, and the second needs it as well.
    forged = update(section(1, 0, after(2, 5), after(2, 5)))
    with pytest.raises(RemoteProtocolError, match="1:0 is known as something else"):
        log.add(forged)
    assert log.add(forged, stored=True)[:4] == ((), True, True, ())
    assert log.missing == {2: 6}
    assert log.state() == {1: 1}


def test_an_empty_text_waits_like_any_other_struct() -> None:
    empty = b"\x04\x00\x02\x05\x00"  # yrs writes such where it cuts a character; here its parent is not there
    log = UpdateLog()
    added = log.add(update(section(1, 0, A, empty)))
    assert added.updates == (update(section(1, 0, A)),)
    assert log.missing == {2: 6}
    assert log.add(update(section(1, 1, B))).updates
    assert log.diff() == update(section(1, 0, A, B))


def test_what_an_update_that_is_cut_deletes_is_given_out() -> None:
    doc: Doc[Any] = Doc()
    doc.get("m", type=Map)["x"] = 1
    text = doc.get("t", type=Text)
    text += "a"
    before = doc.get_update()
    text += "b"
    del doc.get("m", type=Map)["x"]
    log = UpdateLog.of([before])
    added = log.add(doc.get_update())  # "ab" is one struct of it
    reader: Doc[Any] = Doc()
    for each in (before, *added.updates):
        reader.apply_update(each)
    assert str(reader.get("t", type=Text)) == "ab"
    assert reader.get("m", type=Map).to_py() == {}


def test_what_waits_may_stand_right_behind_what_is_cut() -> None:
    log = UpdateLog()
    log.add(update(section(1, 0, item(4, b"\x02ab"))))
    added = log.add(update(section(1, 0, item(4, b"\x04abcd"), after(2, 5))))
    assert added.updates == (update(section(1, 2, b"\x84\x01\x01\x02cd")),)
    assert log.missing == {2: 6}


def test_a_parent_must_be_a_type() -> None:
    log = UpdateLog()
    log.add(update(section(1, 0, MAP, A, item(1, b"\x01"), b"\x00\x01")))
    before = log.diff()
    for client, clock in ((3, 0), (8, 2), (9, 3)):
        log.add(update(section(2, 0, child(1, 0)), section(client, 0, child(1, clock))))
    for wrong in (
        update(section(4, 0, child(1, 1))),
        update(section(1, 4, B, child(1, 4))),
        update(section(5, 0, B), section(4, 0, A, child(5, 0)), deletes=b"\1\1\1\0\1"),
    ):
        whole, state = log.diff(), log.state()
        with pytest.raises(RemoteProtocolError, match="no type"):
            log.add(wrong)
        assert (log.diff(), log.state(), log.missing) == (whole, state, {})
    assert before != log.diff()


def test_c2_what_is_refused_when_its_gap_closes_is_dropped_and_the_writer_goes_on() -> None:
    log = UpdateLog()
    late, first = bytes.fromhex("0101030108000300017d0500"), bytes.fromhex("0101030004010161017800")
    assert log.add(late).held
    added = log.add(first)
    assert added.updates == (first,)
    assert len(added.refused) == 1
    more = update(section(3, 1, b"\x84\x03\x00\x01y"))
    assert log.add(more).updates == (more,)
    assert log.missing == {}
    for order in permutations([late, first, more]):
        assert UpdateLog.of(order).diff() == log.diff()


def test_a_stored_update_is_taken_as_it_was_when_it_had_to_wait() -> None:
    rows = [update(section(1, 0, A)), update(section(2, 0, B, child(1, 0), B), section(3, 0, B))]
    logs = [UpdateLog.of(order) for order in permutations(rows)]
    assert {log.diff() for log in logs} == {update(section(3, 0, B), section(2, 0, B), section(1, 0, A))}
    assert UpdateLog().add(rows[0], stored=True).refused == ()


def test_it_tells_whether_a_deletion_is_news() -> None:
    doc: Doc[Any] = Doc(client_id=1)
    root = doc.get("root", type=Map)
    root["a"], root["b"] = 1, 2
    log = UpdateLog.of([doc.get_update()])
    assert not log.deletes_more(log.check(doc.get_update()))
    first = doc.get_state()
    del root["a"]
    assert log.deletes_more(log.check(doc.get_update(first)))
    second = doc.get_state()
    root["b"] = 3  # with a struct
    assert log.deletes_more(log.check(doc.get_update(second)))
    log.add(doc.get_update())
    assert not any(log.deletes_more(log.check(doc.get_update(state))) for state in (b"\0", first, second))


def test_what_waits_is_bounded() -> None:
    log = UpdateLog(max_held=3_500)
    log.add(update(section(1, 0, A)))
    for clock in range(5, 11):
        assert log.add(update(section(1, clock, A), section(2, clock - 5, B))).held
    before = (log.diff(), log.missing)
    with pytest.raises(RemoteProtocolError, match="waits already"):
        log.add(update(section(1, 11, A), section(2, 6, B)))
    assert (log.diff(), log.missing) == before
    log.add(update(section(1, 1, *[A] * 4)))
    assert log.missing == {}
    assert log.add(update(section(1, 20, A))).held
    rows = [update(section(1, clock, A)) for clock in range(50, 0, -1)]
    assert UpdateLog.of(rows, max_held=1_000).missing == {1: 50}


C1 = """
02030004010874696e796261736504f09f9880c8010002030275027702c3a974035234257c2eef1659020201020202011001
0103030004010874696e7962617365016184010104f09f9880480103017cc12361df00
"""
C3 = """
020603000901016d046775696475027601007502797875027e7601007e0701016d030364697621010178016105470300010801016d047ca0326c
5a7cf47267ee7403c2433f77095f5f70726f746f5f5f470301040301012800ffffffff0f02016102740392936877016105000301035b315d0001
0203011302ffffffff07010c01
030c03000901016d04677569647604086175746f4c6f6164790a73686f756c644c6f6164790267637808656e636f64696e677d010701016d0303
64697621010178016103a86502047601007bd12d98b6217ae0be7601016b7403022cfa75027f79750275027c2a93b7197403c5637d75027974032c
a9590003470301040a0900030a052801016d00017e0a450401000668c3a96c6c6f0202000a01616602010501002401016d016b09787878787878
787878a101080aa401121f787878787878787878787878787878787878787878787878787878787878780a0361012b02040102090a3502020101
01030302030903160365010201
01030305846500327878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878
e4ffffffff070002003278787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878
7887010304026601060102010a0a
"""


@pytest.mark.parametrize("name", ["C1", "C3"])
def test_updates_that_stopped_a_server_end_nothing(name: str) -> None:
    lines = {"C1": C1.strip().split("\n"), "C3": C3.strip().split("\n")}[name]
    updates = [bytes.fromhex(line) for line in lines] if name == "C1" else c3_updates(lines)
    log = UpdateLog()
    for each in updates * 2:
        try:
            log.add(each)
        except RemoteProtocolError:
            continue
    reread = UpdateLog()
    assert not reread.add(log.diff()).held
    assert reread.diff() == log.diff()


def c3_updates(lines: list[str]) -> list[bytes]:
    data = bytes.fromhex("".join(lines))
    return [data[:129], data[129 : 129 + 246], data[129 + 246 :]]


def many_ids(number: int) -> bytes:
    return update(*(section(at, 0, key_item("k")) for at in range(number, 0, -1)))


def gaps(number: int) -> bytes:
    return update(*(section(at, 1, key_item("k")) for at in range(number, 0, -1)))


def test_20_000_ids_that_write_one_key_are_taken_in() -> None:
    log = UpdateLog()
    data = many_ids(20_000)
    assert log.add(data).updates == (data,)
    assert log.diff() == data


def test_20_000_gaps_close_one_after_the_other() -> None:
    log = UpdateLog(max_held=2**30)
    assert log.add(gaps(20_000)).held
    assert len(log.missing) == 20_000
    for at in range(1, 20_001):
        assert len(log.add(update(section(at, 0, key_item("k")))).updates) == 2
    assert log.missing == {}
    with pytest.raises(RemoteProtocolError, match="waits already"):
        UpdateLog(max_held=2**20).add(gaps(20_000))


def test_one_update_that_waits_for_many_is_looked_through_once() -> None:
    number = 5_000
    log = UpdateLog(max_held=2**30)
    assert log.add(update(section(1, 0, *(after(at, 0) for at in range(2, number + 2))))).held
    for at in range(2, number + 2):
        assert len(log.add(update(section(at, 0, A))).updates) == 2
    assert log.missing == {}


def test_types_nested_over_many_updates_end_nothing() -> None:
    log = UpdateLog()
    log.add(update(section(1, 0, MAP)))
    for at in range(1, 64):
        nested = Writer().byte(0x27).byte(0).uint(1).uint(at - 1).string("k").byte(1)
        log.add(update(section(1, at, nested.finish())))
    log.add(update(deletes=b"\1\1\1\0\1"))
    assert log.state() == {1: 64}
    again = UpdateLog()
    again.add(log.diff())
    assert again.diff() == log.diff()


def test_no_bytes_raise_anything_else_or_change_what_is_there() -> None:
    corpus = [*honest_updates(), *yjs_updates().values(), *history(random.Random(1), 20)[0]]
    log = UpdateLog(max_held=20_000)
    for data in cases(fuzz_seed("log"), corpus, 2_000):
        whole, state, missing = log.diff(), log.state(), log.missing
        try:
            added = log.add(data)
        except RemoteProtocolError:
            assert (log.diff(), log.state(), log.missing) == (whole, state, missing)
        else:
            for part in added.updates:
                assert merge_updates([part])
    assert UpdateLog.of([log.diff()]).diff() == log.diff()
    with pytest.raises(RemoteProtocolError):
        UpdateLog.of([b"\1"])


def test_a_log_needs_no_binding() -> None:
    program = (
        "import sys; sys.modules['pycrdt'] = None\n"
        "from weft.documents import UpdateLog, merge_updates, diff_update, state_vector_of\n"
        "assert UpdateLog().diff() == merge_updates([]) and 'asyncio' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=30)


@pytest.mark.parametrize("stored", [1, 2])
def test_what_waited_is_refused_as_well_when_it_was_read_from_storage_meanwhile(stored: int) -> None:
    """Otherwise a room has after a restart what no client takes."""
    late = Writer().byte(0x88).uint(5).uint(0).uint(3).raw(ANY_NULL * 3).finish()  # behind the value of a key
    rows = [update(section(9, 0, late)), update(section(5, 0, key_item("k")))]
    log = UpdateLog.of(rows[:stored])
    for row in rows[stored:]:
        assert log.add(row).refused == ("not a usable update: 9:0 is several values of one key",)
    assert log.state() == {5: 1}
    UpdateLog().add(log.diff())
