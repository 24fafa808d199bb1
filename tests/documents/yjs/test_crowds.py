"""Many writers at one place, whatever updates they come in."""

from __future__ import annotations

import pytest

from support.ywriter import item, key_item, section, update
from weft._codecs.yjs.lib0 import Writer
from weft.documents import UpdateLog
from weft.documents.yjs import YDocument, create_doc, crowds as crowds_module
from weft.documents.yjs.client_structs import ClientStructs
from weft.errors import RemoteProtocolError

NULL = b"\x01\x7e"
PLACES = [
    key_item("k"),
    key_item("k" * 50),  # matched one by one
    item(8, NULL),
    item(4, b"\x01a"),
    b"\x88\x05\x00" + NULL,
    b"\xe8\x05\x00\x05\x01" + NULL,
]
MANY = 100


def few(*updates: bytes) -> UpdateLog:
    log = UpdateLog(max_crowd=MANY)
    for each in updates:
        log.add(each, stored=True)
    return log


def first() -> bytes:
    return update(section(5, 0, item(8, NULL), item(8, NULL)))


def by(client: int, struct: bytes, clock: int = 0) -> bytes:
    return update(section(1000 + client, clock, struct))


@pytest.mark.parametrize("struct", PLACES)
def test_a_crowd_of_single_updates_is_refused_and_others_go_on(struct: bytes) -> None:
    log = few(first())
    taken = 0
    for client in range(MANY + 20):
        try:
            log.add(by(client, struct))
            taken += 1
        except RemoteProtocolError as error:
            assert "is at a place where too many are" in str(error)  # noqa: PT017
    assert MANY - 2 <= taken <= MANY
    before = log.diff()
    with pytest.raises(RemoteProtocolError, match="too many"):  # also within a larger one
        log.add(update(section(7, 0, *[key_item(f"x{number}") for number in range(100)], struct)))
    assert log.diff() == before
    log.add(update(section(7, 0, key_item("x0"))))
    log.add(by(3_000, struct), stored=True)  # what was taken in before stays
    for _ in range(2 * MANY):
        assert not log.add(by(0, struct)).is_new  # nor does it count to send again what is known
    assert log.add(by(0, key_item("other"), 1)).is_new


def test_what_is_refused_for_another_reason_does_not_count() -> None:
    log = few(first(), *(by(client, key_item("y")) for client in range(MANY)))
    wrong = b"\x28\x00\x05\x00\x01k" + NULL  # a parent that is no type
    for client in range(2 * MANY):
        with pytest.raises(RemoteProtocolError, match="no type"):
            log.add(update(section(2000 + client, 0, key_item("k"), wrong)))
    assert log.add(by(7_000, key_item("k"))).is_new


def test_one_client_that_writes_at_one_place_again_and_again_is_a_crowd_too() -> None:
    log = few()
    log.add(update(section(1, 0, *[key_item("k")] * MANY)))
    with pytest.raises(RemoteProtocolError, match="too many"):
        log.add(update(section(1, MANY, key_item("k"))))


def test_what_waited_in_a_crowd_is_refused_when_it_is_released() -> None:
    log = few()
    for client in range(MANY + 50):
        struct = key_item("k")
        assert log.add(update(section(2000 + client, 0, b"\x88\x05\x00" + NULL, struct)), origin=client).held
    added = log.add(update(section(5, 0, item(8, NULL))))
    assert len(added.refused) == 2 * 50 or len(added.refused) >= 50
    assert UpdateLog.of([log.diff()]).diff() == log.diff()
    assert all(clock for clock in log.state().values())


def test_places_are_the_same_one_by_one_and_many_at_a_time() -> None:
    structs = [PLACES[0], PLACES[4], PLACES[5], item(7, b"\x00"), key_item("m", b"\x01", ref=7)] * 64
    own = ClientStructs()
    own.data += b"".join(structs)
    own.structs = len(structs)
    found = list(crowds_module._heads(own.data, 0, own.structs))
    singles = [head for struct in structs for head in crowds_module._heads(struct, 0, 1)]
    assert found == singles
    assert singles[0] == b"\x01\x04root\x01k"


def test_an_honest_history_of_one_key_and_one_text_is_no_crowd() -> None:
    log = UpdateLog(max_crowd=10_000)
    log.add(update(section(5, 0, key_item("k"), item(4, b"\x01a"))))
    for at in range(2, 12_002):
        struct = Writer().byte(0xA8).uint(5).uint(0 if at == 2 else at - 1).raw(NULL).finish()
        log.add(update(section(5, at, struct)))
    assert log.state() == {5: 12_002}


def test_a_document_is_given_no_larger_crowd_however_it_comes() -> None:
    """20,000 took the binding 23 s."""
    doc = create_doc()
    document = YDocument.of(doc)
    document.apply(
        update(*(section(100_000 + client, 0, key_item("k")) for client in range(9_900))), origin=0
    )
    refused = 0
    for client in range(20_000):
        try:
            document.apply(update(section(200_000 + client, 0, key_item("k"))), origin=None)
        except RemoteProtocolError:
            refused += 1
    assert refused == 19_900
    assert len(document.state()) == 10_000
    document._gate.mistrust()  # and when the log is made anew
    with pytest.raises(RemoteProtocolError, match="too many"):
        document.apply(update(section(300_000, 0, key_item("k"))), origin=None)
