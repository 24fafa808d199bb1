"""How deep types may be nested, however the updates come that make them."""

from __future__ import annotations

import random
import subprocess
import sys
from typing import Any

import pytest
from pycrdt import Array, Doc, Map

from support.fuzzing import fuzz_seed
from support.ywriter import item, section, update
from weft._codecs.yjs.lib0 import Writer
from weft._codecs.yjs.update import parse_update
from weft.documents import UpdateLog
from weft.documents.yjs import YDocument, create_doc
from weft.errors import RemoteProtocolError
from weft.limits import Limits

NULL = b"\x01\x7e"


def level(at: int, *, client: int = 5, beside: bool = False) -> bytes:
    """An update that makes one type within the one made before, or beside what is within that."""
    if not at:
        return update(section(client, 0, item(7, b"\x00")))
    if not beside:
        struct = Writer().byte(0x07).byte(0).uint(client).uint(at - 1).raw(b"\x00").finish()
        return update(section(client, at, struct))
    value = Writer().byte(0x08).byte(0).uint(client).uint(2 * at - 2).raw(NULL).finish()
    behind = Writer().byte(0x87).uint(client).uint(2 * at - 1).raw(b"\x00").finish()
    return update(section(client, 2 * at - 1, value, behind))


@pytest.mark.parametrize("beside", [False, True])
def test_a_log_and_a_document_refuse_a_type_that_is_too_deep(beside: bool) -> None:
    log, doc = UpdateLog(), create_doc()
    document = YDocument.of(doc)
    for at in range(64):
        log.add(level(at, beside=beside))
        document.apply(level(at, beside=beside), origin=None)
    before = log.diff()
    for _ in range(2):
        with pytest.raises(RemoteProtocolError, match="types nested more than 64 deep"):
            log.add(level(64, beside=beside))
        with pytest.raises(RemoteProtocolError, match="types nested more than 64 deep"):
            document.apply(level(64, beside=beside), origin=None)
    assert log.diff() == before
    assert document.state() == log.state()
    other = update(section(6, 0, item(7, b"\x00")))
    assert log.add(other).is_new
    assert not document.apply(other, origin=None)


def test_the_limit_is_the_one_that_was_given() -> None:
    log = UpdateLog(limits=Limits(max_depth=3))
    for at in range(3):
        log.add(level(at))
    with pytest.raises(RemoteProtocolError, match="more than 3 deep"):
        log.add(level(3))
    log.add(log.check(level(3), Limits(max_depth=4)))


def test_it_is_noticed_when_what_a_type_waits_for_arrives() -> None:
    log = UpdateLog()
    late = [level(at) for at in range(1, 70)]
    for each in reversed(late):
        assert log.add(each, origin="peer").held
    added = log.add(level(0))
    assert log.state() == {5: 64}
    assert not log.is_waiting or set(log.missing) == {5}
    assert added.refused == ("not a usable update: types nested more than 64 deep",)
    assert added.dropped == ((level(64), "peer"),)


def test_what_is_stored_is_taken_as_deep_as_any_document_bears() -> None:
    rows = [level(at) for at in range(300)]
    log = UpdateLog()
    refused = [reason for row in rows for reason in log.add(row, stored=True).refused]
    assert refused == ["not a usable update: types nested more than 255 deep"]
    assert log.state() == {5: 255}
    doc = create_doc()
    YDocument.of(doc).apply(level(0), origin=None)
    assert UpdateLog.of([update(*sections(rows))]).state() == {5: 255}


def sections(rows: list[bytes]) -> list[bytes]:
    """All of them as one section."""
    return [section(5, 0, *(row[4 + (at > 127) : -1] for at, row in enumerate(rows)))]


CHAIN = """
import sys
sys.path.insert(0, "tests")
from documents.yjs.test_places import level
from weft.documents.yjs import YDocument, create_doc
from weft.errors import RemoteProtocolError
doc = create_doc()
document = YDocument.of(doc)
refused = 0
for at in range(100_000):
    try:
        document.apply(level(at), origin=None)
    except RemoteProtocolError:
        refused += 1
        break
document._gate.mistrust()
for at in range(64, 70):
    try:
        document.apply(level(at), origin=None)
    except RemoteProtocolError:
        refused += 1
root = doc.get("r", type=__import__("pycrdt").Array)
del root[0]
print(refused, document.state())
"""


def test_a_chain_of_types_does_not_end_the_process() -> None:
    """One level an update: the binding's stack overflowed at the deletion."""
    done = subprocess.run([sys.executable, "-c", CHAIN], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[0] in {"2", "7"}


@pytest.mark.parametrize("number", range(10))
def test_the_depth_of_each_type_is_what_the_document_says(number: int) -> None:
    """Against a walk from each item to its root, with neighbours of several clients."""
    rng = random.Random(fuzz_seed(f"places {number}"))
    docs = [create_doc(client_id=client) for client in (5, 6, 7)]
    updates: list[bytes] = []
    for doc in docs:
        doc.observe(lambda event: updates.append(event.update))
    for _ in range(60):
        doc = rng.choice(docs)
        at: Any = doc.get("a", type=Array)
        while rng.random() < 0.7:
            inner = [
                each for each in (at if isinstance(at, Array) else at.values()) if not isinstance(each, float)
            ]
            if not inner:
                break
            at = rng.choice(inner)
        new = rng.choice([Map(), Array(), 1.5])
        if isinstance(at, Array):
            at.insert(rng.randint(0, len(at)), new)
        else:
            at[rng.choice("xy")] = new
        if rng.random() < 0.4:
            other = rng.choice(docs)
            other.apply_update(doc.get_update(other.get_state()))
    log = UpdateLog()
    for each in rng.sample(updates, len(updates)):
        log.add(each)
    assert not log.is_waiting
    whole = parse_update(log.diff()).items
    items = {(found.client, found.clock + at): found for found in whole for at in range(found.length)}

    def depth(key: tuple[int, int]) -> int:
        found = items[key]
        if not found.ref:
            return 0  # collected, and so is what is beside it or in it
        neighbour = found.origin or found.right_origin
        if found.parent is None:
            assert neighbour is not None
            return depth(neighbour)
        if (
            isinstance(found.parent, str) or items[found.parent].ref != 7
        ):  # what is in a deleted one is so too
            return 0
        return depth(found.parent) + 1

    clients = log._clients
    for (client, clock), found in items.items():
        if found.ref == 7:
            place = clients[client].type_place(clock)
            assert place is not None
            assert place >> 1 == depth((client, clock))


def test_the_documents_of_the_binding_bear_what_a_stored_document_may_be() -> None:
    doc = Doc[Any]()
    at: Any = doc.get("r", type=Array)
    for _ in range(255):
        at.append(Array())
        at = at[0]
    loaded = create_doc()
    YDocument.of(loaded).apply(update(*sections([level(0)])), origin=None)
    again = Doc[Any]()
    again.apply_update(doc.get_update())
    del again.get("r", type=Array)[0]
    assert again.get("r", type=Array).to_py() == []
