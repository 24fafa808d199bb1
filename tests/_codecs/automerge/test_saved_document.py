"""Saved documents read from their columns: what the binding says of them."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, strategies as st

from support.automerge_chunks import chunk, deflated, honest_changes
from weft._codecs.automerge.change import MAKE_MAP, MAKE_TEXT, SET, OpId
from weft._codecs.automerge.chunks import DOCUMENT, split_chunks
from weft._codecs.automerge.leb128 import write_uint
from weft._codecs.automerge.saved_document import Content, check_document, read_content
from weft.documents.automerge.binding import ROOT, CoreDocument, ObjType, ScalarType, new_core
from weft.errors import RemoteProtocolError
from weft.mirrors.automerge.keys import op_id

SCALARS = {int: ScalarType.Int, float: ScalarType.F64, bool: ScalarType.Boolean, type(None): ScalarType.Null}
KEYS = st.sampled_from(["a", "b", "", "\u00e9", "\0x", "c" * 200])
INTEGERS = st.integers(-(2**63), 2**63 - 1)
CELLS = st.one_of(st.none(), st.booleans(), INTEGERS, st.floats(allow_nan=False), st.text(max_size=6))
VERBS = st.sampled_from(["set", "set", "map", "del", "edit", "merge"])
# Which of three peers does what to which of its maps, at which key, with which cell.
STEPS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 5), VERBS, KEYS, CELLS), max_size=25)


def _maps(core: CoreDocument, obj: bytes = ROOT) -> list[bytes]:
    found = [obj]
    for kind, made in core.values(obj):
        if kind == ObjType.Map:
            found += _maps(core, made)
    return found


def _step(cores: list[CoreDocument], at: int, which: int, verb: str, key: str, cell: object) -> None:
    core = cores[at]
    if verb == "merge":
        for other in cores:
            if other is not core:
                core.merge(other)
        return
    maps = _maps(core)
    obj = maps[which % len(maps)]
    found = core.get(obj, key)
    with core.transaction() as transaction:  # type: ignore[attr-defined]
        if verb == "map":
            transaction.put_object(obj, key, ObjType.Map)
        elif verb == "del":
            if found is not None:
                transaction.delete(obj, key)
        elif verb == "edit" and found is not None and found[0] == ObjType.Text:
            length = core.length(found[1])
            transaction.splice_text(found[1], length // 2, length - length // 2, "new")
        elif isinstance(cell, str):
            text = transaction.put_object(obj, key, ObjType.Text)
            transaction.splice_text(text, 0, 0, cell)
        else:
            transaction.put(obj, key, SCALARS[type(cell)], cell)


def _check(core: CoreDocument, content: Content, obj: bytes, made: OpId | None) -> None:
    entries = content.maps.get(made, {})
    assert sorted(entries) == sorted(core.keys(obj))
    for key, (action, value) in entries.items():
        found = core.get(obj, key)
        assert found is not None
        kind, found_id = found
        if action == MAKE_MAP:
            assert kind == ObjType.Map
            assert value == op_id(found_id)
            _check(core, content, found_id, op_id(found_id))
        elif action == MAKE_TEXT:
            assert kind == ObjType.Text
            assert value == op_id(found_id)
            assert "".join(content.texts.get(op_id(found_id), [])) == core.text(found_id)
        else:
            assert action == SET
            assert (type(value), value) == (type(kind[1]), kind[1])


@given(STEPS)
def test_a_document_holds_what_the_binding_says(steps: list[tuple[int, int, str, str, object]]) -> None:
    cores = [new_core(actor) for actor in (b"\x05\x05", b"\x01", b"\x03" * 3)]
    for step in steps:
        _step(cores, *step)
    cores[0].merge(cores[1])
    cores[0].merge(cores[2])
    content = read_content(bytes(cores[0].save()), always=True)
    assert content is not None
    _check(cores[0], content, ROOT, None)


def test_what_a_store_never_writes_is_left_to_the_binding() -> None:
    for kind, value in ((ScalarType.Bytes, b"x"), (ObjType.List, None)):
        core = new_core(b"\1")
        with core.transaction() as transaction:  # type: ignore[attr-defined]
            if value is None:
                transaction.put_object(ROOT, "a", kind)
            else:
                transaction.put(ROOT, "a", kind, value)
        assert read_content(bytes(core.save()), always=True) is None


def test_what_is_mostly_history_is_left_to_the_binding_which_is_faster_there() -> None:
    core = new_core(b"\1")
    for number in range(100):
        with core.transaction() as transaction:  # type: ignore[attr-defined]
            transaction.put(ROOT, "a", ScalarType.Int, number)
    assert read_content(bytes(core.save())) is None
    content = read_content(bytes(core.save()), always=True)
    assert content is not None
    assert content.maps == {None: {"a": (SET, 99)}}


@given(st.data())
def test_a_damaged_document_is_looked_at_or_refused(data: st.DataObject) -> None:
    whole = split_chunks(honest_changes()[0])[0]
    damaged = bytearray(whole.data)
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(whole.start, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    end = data.draw(st.integers(whole.start, len(damaged)))
    with suppress(RemoteProtocolError):
        check_document(whole._replace(data=bytes(damaged[:end])))


def test_runs_that_unpack_to_too_much_are_refused() -> None:
    billion = b"\x80\x94\xeb\xdc\x03"
    document = b"\x00\x00\x00\x01\x42\x06" + billion + b"\x01"
    (as_document,) = split_chunks(chunk(DOCUMENT, document))
    with pytest.raises(RemoteProtocolError, match="too many operations"):
        check_document(as_document)


def test_a_document_that_inflates_to_too_much_is_refused() -> None:
    packed = deflated(bytes(1_000_000))
    content = b"\x00\x00\x00\x01" + write_uint(86 | 8 | 1) + write_uint(len(packed)) + packed
    (document,) = split_chunks(chunk(DOCUMENT, content))
    check_document(document)
    with pytest.raises(RemoteProtocolError, match="too large"):
        check_document(document, 500_000)


def test_the_documents_of_the_binding_pass_the_look_at_them() -> None:
    saved, _ = honest_changes()
    for each in split_chunks(saved):
        check_document(each)
