"""What saved documents hold, read from their columns: what the binding says of them."""

from __future__ import annotations

from hypothesis import given, strategies as st

from weft._codecs.automerge.change import MAKE_MAP, MAKE_TEXT, OpId
from weft._codecs.automerge.content import Content, read_content
from weft.documents.automerge.binding import ROOT, CoreDocument, ObjType, ScalarType, new_core
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
    for key, entry in entries.items():
        action, value = entry if type(entry) is tuple else (None, entry)
        assert (made in content.parents) >= (action is not None)
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
            assert content.texts.get(op_id(found_id), "") == core.text(found_id)
        else:
            assert action is None
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
    assert content.maps == {None: {"a": 99}}
