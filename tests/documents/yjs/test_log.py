from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st
from pycrdt import Doc, Map, Text

from support.storage_suite import write_updates
from weft._codecs.yjs.state import decode_state_vector
from weft.documents.yjs.document import YDocument, create_doc
from weft.documents.yjs.log import build_document, compact_updates
from weft.errors import RemoteProtocolError


def build(updates: list[bytes]) -> Doc[Any]:
    doc, _ = build_document(updates)
    doc.get("m", type=Map)
    return doc


def content(doc: Doc[Any]) -> tuple[Any, dict[int, int]]:
    return doc.get("m", type=Map).to_py(), decode_state_vector(doc.get_state())


def compacted(updates: list[bytes]) -> list[bytes]:
    result = compact_updates(updates)
    if result is None:
        return updates
    return [update for at, update in enumerate(updates) if at in result.kept] + [result.snapshot]


def three_writers(script: list[tuple[int, int, int]]) -> list[bytes]:
    """Updates of three documents that write, delete and nest, and hear of each other now and then."""
    docs = [create_doc(client_id=10 + number) for number in range(3)]
    log: list[bytes] = []
    for doc in docs:
        doc.get("m", type=Map)
        doc.observe(lambda event: log.append(event.update))
    for writer, action, key in script:
        doc = docs[writer]
        root = doc.get("m", type=Map)
        name = f"k{key}"
        before = len(log)
        if action == 0:
            root[name] = before
        elif action == 1 and name in root:
            del root[name]
        elif action == 2:
            root[f"row{key}"] = Map({"a": before})
        elif action == 3 and f"row{key}" in root:
            root[f"row{key}"]["b"] = before
        elif action == 4:
            # What it hears is no new update: those are in the log already.
            heard = docs[(writer + 1) % 3].get_update(doc.get_state())
            doc.apply_update(heard)
            del log[before:]
    return log


scripts = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 4), st.integers(0, 3)), min_size=1, max_size=60
)


@given(scripts)
def test_a_compacted_log_gives_the_same_document(script: list[tuple[int, int, int]]) -> None:
    log = three_writers(script)
    assert content(build(compacted(log))) == content(build(log))


@given(scripts, st.data())
def test_what_was_missing_at_the_compaction_may_come_later(
    script: list[tuple[int, int, int]], data: st.DataObject
) -> None:
    log = three_writers(script)
    missing = data.draw(st.sets(st.integers(0, max(len(log) - 1, 0)), max_size=8))
    there = [update for at, update in enumerate(log) if at not in missing]
    later = [update for at, update in enumerate(log) if at in missing]
    whole = build(log)
    late = build([*compacted(there), *later])
    # yrs does not repair updates out of order by itself; a resync from the state vector does.
    late.apply_update(whole.get_update(late.get_state()))
    assert content(late) == content(whole)
    assert late.get_update(whole.get_state()) == whole.get_update(whole.get_state())


@given(scripts, st.data())
def test_no_update_that_waits_is_dropped(script: list[tuple[int, int, int]], data: st.DataObject) -> None:
    log = three_writers(script)
    missing = data.draw(st.sets(st.integers(0, max(len(log) - 1, 0)), max_size=8))
    there = [update for at, update in enumerate(log) if at not in missing]
    kept = compacted(there)
    doc = build(there)
    document = YDocument.of(doc)
    for update in there:
        if not document.is_covered(update):
            assert update in kept


def test_a_gap_keeps_what_waits_and_the_rest_is_compacted() -> None:
    updates = write_updates(create_doc(), 30)
    there = updates[:20] + updates[21:]
    result = compact_updates(there)
    assert result is not None
    assert result.kept == frozenset(range(20, 29))
    whole = build([*compacted(there), updates[20]])
    assert content(whole)[0] == {f"k{number}": number for number in range(30)}


def test_a_deletion_that_came_before_what_it_deletes_is_kept() -> None:
    writer, deleter = create_doc(client_id=5), create_doc(client_id=6)
    writes = write_updates(writer, 3)
    for update in writes:
        deleter.apply_update(update)
    state = deleter.get_state()
    del deleter.get("m", type=Map)["k1"]
    deletion = deleter.get_update(state)
    others = write_updates(create_doc(client_id=7), 5, prefix="o")
    there = [deletion, *others]
    before = build(there)
    assert not YDocument.of(before).is_covered(deletion)
    doc = build([*compacted(there), *writes])
    assert "k1" not in content(doc)[0]
    assert content(doc)[0]["k0"] == 0


def test_one_update_is_left_alone() -> None:
    assert compact_updates([]) is None
    assert compact_updates(write_updates(create_doc(), 1)) is None


def test_only_waiting_updates_are_left_alone() -> None:
    assert compact_updates(write_updates(create_doc(), 4)[1:]) is None


@pytest.mark.parametrize("bad", [b"", b"\x01", b"\xff" * 20, b"\x01\x01\x05\x00\x28\x01"])
def test_what_is_not_an_update_is_refused(bad: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        compact_updates([*write_updates(create_doc(), 2), bad])
    with pytest.raises(RemoteProtocolError):
        build_document([bad])


def test_a_long_log_becomes_small() -> None:
    doc = create_doc()
    updates = []
    for _ in range(40):
        updates += write_updates(doc, 50)
    result = compact_updates(updates)
    assert result is not None
    assert not result.kept
    assert len(result.snapshot) * 3 < sum(map(len, updates))


def test_what_was_joined_to_more_than_a_message_may_hold_is_read_in_any_order() -> None:
    doc = create_doc()
    text = doc.get("t", type=Text)
    for _ in range(3):
        text += "x" * (6 << 20)
    snapshot, state = doc.get_update(), doc.get_state()
    text += "!"
    built, document = build_document([doc.get_update(state), snapshot])
    assert not document.is_waiting
    assert len(built.get("t", type=Text)) == 3 * (6 << 20) + 1
