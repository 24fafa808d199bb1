"""Changes made by hand: the same bytes as the binding's, whatever is written."""

from __future__ import annotations

from hypothesis import given, strategies as st

from weft._codecs.automerge.change_builder import ChangeBuilder
from weft.documents.automerge.binding import ROOT, CoreDocument, ObjType, ScalarType, new_core
from weft.mirrors.automerge.keys import op_id

OTHER, LOW, ACTOR = b"\x05" * 5, b"\x01", b"\x03" * 3
SCALARS = {int: ScalarType.Int, float: ScalarType.F64, bool: ScalarType.Boolean, type(None): ScalarType.Null}

CELLS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**53), 2**53),
    st.integers(-300, 300),
    st.floats(allow_nan=False),
    st.text(max_size=8),
    st.sampled_from(["", "plain", "h\u00e9\U0001f600e\u0301 \U0001f469\u200d\U0001f469"]),
)
ROWS = st.lists(
    st.tuples(st.integers(0, 2), st.dictionaries(st.text(max_size=3), CELLS, max_size=6)),
    min_size=1,
    max_size=6,
)


def _earlier() -> tuple[CoreDocument, list[bytes]]:
    """A document of several actors, one below and one above ours, each with an object of its own."""
    core = new_core(OTHER)
    objects = []
    for actor in (OTHER, LOW, ACTOR):
        core.set_actor(actor)
        with core.transaction() as transaction:  # type: ignore[attr-defined]
            objects.append(transaction.put_object(ROOT, f"of {actor.hex()}", ObjType.Map))
    return core, objects


@given(ROWS)
def test_the_bytes_are_those_that_the_binding_writes(rows: list[tuple[int, dict[str, object]]]) -> None:
    core, objects = _earlier()
    before = core.get_heads()
    builder = ChangeBuilder(actor=ACTOR, seq=2, start_op=4, deps=before)
    with core.transaction() as transaction:  # type: ignore[attr-defined]
        for number, (parent, cells) in enumerate(rows):
            row = transaction.put_object(objects[parent], f"row {number}", ObjType.Map)
            built = builder.make_map(op_id(objects[parent]), f"row {number}")
            assert built == op_id(row)
            for key, cell in cells.items():
                if isinstance(cell, str):
                    text = transaction.put_object(row, key, ObjType.Text)
                    transaction.splice_text(text, 0, 0, cell)
                    assert builder.make_text(built, key, cell) == op_id(text)
                else:
                    transaction.put(row, key, SCALARS[type(cell)], cell)
                    builder.put(built, key, cell)  # type: ignore[arg-type]
    (change,) = core.get_changes(before)
    assert builder.chunk() == change.raw_bytes


def test_the_first_change_of_a_document_is_made_at_its_root() -> None:
    core = new_core(ACTOR)
    builder = ChangeBuilder(actor=ACTOR, seq=1, start_op=1, deps=())
    with core.transaction() as transaction:  # type: ignore[attr-defined]
        for key in ("a", "b"):
            transaction.put(ROOT, key, ScalarType.Int, 1)
            builder.put(None, key, 1)
    (change,) = core.get_changes([])
    assert builder.chunk() == change.raw_bytes
