"""A change of one operation made by hand: the bytes of the binding."""

from __future__ import annotations

import pytest

from weft._codecs.automerge.put_change import make_put
from weft.documents.automerge.binding import ROOT, ObjType, ScalarType, new_core
from weft.documents.automerge.document import AutomergeDocument
from weft.mirrors.automerge.keys import op_id

KINDS = {int: ScalarType.Int, float: ScalarType.F64, bool: ScalarType.Boolean, type(None): ScalarType.Null}


@pytest.mark.parametrize("value", [0, -1, 63, 64, 1 << 40, -(1 << 40), 0.5, -0.0, True, False, None])
@pytest.mark.parametrize("actor", [b"\1", b"\2\2", b"\3" * 16])
@pytest.mark.parametrize("is_set", [True, False])
def test_the_bytes_are_those_of_the_binding(value: float | None, actor: bytes, *, is_set: bool) -> None:
    origin, other = new_core(b"\2"), new_core(b"\2\1")
    with origin.transaction() as transaction:  # type: ignore[attr-defined]
        transaction.put_object(ROOT, "map", ObjType.Map)
    other.merge(origin)
    map_id = other.get(ROOT, "map")[1]  # type: ignore[index]
    if is_set:
        with other.transaction() as transaction:  # type: ignore[attr-defined]
            transaction.put(map_id, "k" * 200, ScalarType.Str, "x")
    core = new_core(actor)
    core.merge(other)
    heads, found = sorted(core.get_heads()), core.get(map_id, "k" * 200)
    start_op = 1 + max(change.max_op for change in core.get_changes([]))
    with core.transaction() as transaction:  # type: ignore[attr-defined]
        transaction.put(map_id, "k" * 200, KINDS[type(value)], value)
    (change,) = core.get_changes(heads)
    pred = None if found is None else op_id(found[1])
    made = make_put(actor, 1, start_op, heads, op_id(map_id), "k" * 200, value, pred)
    assert made == (change.raw_bytes, change.hash)


def test_a_document_takes_it_and_goes_on_with_transactions() -> None:
    document, other = AutomergeDocument(), AutomergeDocument()
    with document.transaction() as transaction:
        made = op_id(transaction.put_object(ROOT, "map", ObjType.Map))
    for number in range(3):
        found = document.core.get(document.core.get(ROOT, "map")[1], "a")  # type: ignore[index]
        document.put(made, "a", number, None if found is None else op_id(found[1]))
        with document.transaction() as transaction:
            transaction.put(ROOT, "n", ScalarType.Int, number)
    other.apply_changes([document.save()])
    assert other.heads == document.heads
    for each in (document.core, other.core):
        assert [each.get(ROOT, "n")[0][1], each.get(each.get(ROOT, "map")[1], "a")[0][1]] == [2, 2]  # type: ignore[index]
