"""What weft uses of the ``automerge`` package behaves as the rest of weft takes for granted."""

from __future__ import annotations

import random

import pytest

from weft.documents.automerge.binding import (
    LARGE,
    ROOT,
    CoreDocument,
    ObjType,
    ScalarType,
    contained,
    decode_message,
    load_core,
    load_to_write,
    new_core,
)
from weft.errors import RemoteProtocolError

ACTOR = b"\x01" * 16


def written(core: CoreDocument, **cells: int) -> CoreDocument:
    transaction = core.transaction()
    for key, number in cells.items():
        transaction.put(ROOT, key, ScalarType.Int, number)
    transaction.commit()
    return core


def test_a_core_document_is_written_read_and_rolled_back() -> None:
    core = written(new_core(ACTOR), a=1)
    transaction = core.transaction()
    text = transaction.put_object(ROOT, "text", ObjType.Text)
    transaction.splice_text(text, 0, 0, "abc")
    transaction.rollback()
    assert core.keys(ROOT) == ["a"]
    found = core.get(ROOT, "a")
    assert found is not None
    assert found[0] == (ScalarType.Int, 1)
    assert core.get(ROOT, "text") is None
    (change,) = core.get_changes([])
    assert (change.seq, change.start_op, change.max_op, change.deps) == (1, 1, 1, [])
    assert core.get_heads() == [change.hash]
    assert core.get_last_local_change() is not None


def test_what_was_loaded_is_the_same_under_an_actor_of_its_own() -> None:
    core = written(new_core(ACTOR), a=1, b=2)
    for load in (load_core, load_to_write):
        again = load(bytes(core.save()))
        assert again.get_heads() == core.get_heads()
        assert again.get_actor() != ACTOR
        again.set_actor(ACTOR)
        assert again.get_actor() == ACTOR


def test_a_large_document_is_merged_to_be_written_and_is_the_same() -> None:
    core = new_core(ACTOR)
    transaction = core.transaction()
    noise = random.Random(1)
    for number in range(18_000):
        transaction.put(ROOT, f"k{number}", ScalarType.F64, noise.random())
    transaction.commit()
    saved = bytes(core.save())
    assert len(saved) >= LARGE
    assert load_to_write(saved).get_heads() == core.get_heads()


def test_what_the_binding_raises_is_an_error_of_the_peer_and_says_what_was_done() -> None:
    with pytest.raises(RemoteProtocolError, match="cannot load it: "), contained("load it"):
        load_core(b"nothing")
    with pytest.raises(RemoteProtocolError, match="cannot read it: "), contained("read it"):
        decode_message(b"\x42")
    with contained("do nothing"):
        pass


def test_a_panic_is_an_error_of_the_peer_and_other_base_exceptions_pass() -> None:
    class PanicException(BaseException):
        pass

    with pytest.raises(RemoteProtocolError, match="panicked"), contained("read it"):
        raise PanicException("at the disco")
    with pytest.raises(KeyboardInterrupt), contained("read it"):
        raise KeyboardInterrupt
