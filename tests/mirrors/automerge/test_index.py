"""What the document holds is found and read, whoever wrote it and in whatever type."""

from __future__ import annotations

from support.amdocs import at, exchange
from support.ampeers import HIGH, LOW, Peer
from weft.documents.automerge.binding import ObjType, ScalarType
from weft.errors import MirrorError


def test_numbers_of_other_types_and_plain_strings_are_read_and_left_as_they_are() -> None:
    a, b = Peer(LOW), Peer(HIGH)
    a.store.set_cell("t", "r", "c", 1)
    exchange(a.document, b.document)
    with a.document.transaction() as tx:
        row = a.row("t", "r")
        tx.put(row, "uint", ScalarType.Uint, 3)
        tx.put(row, "float", ScalarType.F64, 4.0)
        tx.put(row, "str", ScalarType.Str, "plain")
    exchange(a.document, b.document)
    assert a.content[0] == b.content[0] == {"t": {"r": {"c": 1, "uint": 3, "float": 4, "str": "plain"}}}
    assert type(b.store.get_cell("t", "r", "float")) is int
    heads = b.document.heads
    b.store.set_cell("t", "r", "str", "plain")
    b.store.set_cell("t", "r", "uint", 3.0)
    assert b.document.heads == heads


def test_foreign_things_are_reported_left_alone_and_out_of_the_store() -> None:
    peer = Peer()
    peer.store.set_content(({"t": {"r": {"a": 1}}}, {"v": 1}))
    with peer.document.transaction() as tx:
        row = peer.row("t", "r")
        tx.put(row, "bytes", ScalarType.Bytes, b"x")
        tx.put_object(row, "list", ObjType.List)
        tx.put(row, "big", ScalarType.Int, 2**60)
        tx.put_object(peer.at("t"), "text", ObjType.Text)
        tx.put_object(peer.at(), "w", ObjType.Map)
        tx.put(peer.at("t", "t"), "row", ScalarType.Int, 1)
    assert peer.content == ({"t": {"r": {"a": 1}}}, {"v": 1})
    assert all(isinstance(error, MirrorError) for error in peer.errors)
    told = " ".join(map(str, peer.errors))
    for name in ["'bytes'", "'list'", "'big'", "'t/text'", "'w'", "'t/t/row'"]:
        assert name in told
    peer.errors.clear()
    heads = peer.document.heads
    peer.store.set_cell("t", "row", "c", 1)
    assert [str(error) for error in peer.errors] == [
        "the document holds (ScalarType.Int, 1) at 't/t/row', where a map should be"
    ]
    assert peer.document.heads == heads
    peer.store.set_cell("t", "r", "a", 2)
    again = Peer(HIGH, document=peer.document)
    assert again.content == ({"t": {"r": {"a": 2}}}, {"v": 1})
    assert peer.document.core.get(row, "bytes") is not None
    peer.store.set_cell("t", "r", "list", "mine now")  # a write of our own is one
    assert peer.document.core.text(at(peer.document, "tinybase", "t", "t", "r", "list")) == "mine now"


def test_strings_that_are_overwritten_leave_nothing_in_the_index() -> None:
    a, b = Peer(LOW), Peer(HIGH)
    a.store.set_cell("t", "r", "c", "0")
    exchange(a.document, b.document)
    sizes = [sum(map(len, peer.mirror._index._places.values())) for peer in (a, b)]
    for number in range(50):
        a.store.set_cell("t", "r", "c", str(number))
        if number % 10 == 0:
            a.store.set_row("t", str(number), {"c": "text"})
            a.store.del_row("t", str(number))
    exchange(a.document, b.document)
    assert [sum(map(len, peer.mirror._index._places.values())) for peer in (a, b)] == sizes
