"""Automerge's bytes for tests: changes of every kind, and chunks put together by hand."""

from __future__ import annotations

import zlib
from hashlib import sha256
from typing import TYPE_CHECKING

from support.amdocs import put
from weft._codecs.automerge.chunks import split_chunks
from weft._codecs.automerge.leb128 import write_uint
from weft.documents.automerge.binding import ROOT, ObjType, ScalarType
from weft.documents.automerge.document import AutomergeDocument

if TYPE_CHECKING:
    from collections.abc import Callable

    from weft.documents.automerge.binding import CoreTransaction

__all__ = [
    "ACTOR", "BACKWARDS", "JS_ACTOR", "JS_COUNTER", "JS_FIRST", "OTHER", "base", "cbor_flood", "chunk",
    "deflated", "honest_changes", "numbered_wrongly", "refit",
]  # fmt: skip

ACTOR, OTHER = b"\x01" * 16, b"\x02" * 16

# Made by @automerge/automerge 3.5.0, actor aa…: {tinybase: {t: {pets: {fido: {a: 1, name: "Al"}}}, v: {}}},
# then pets.fido.a = new Counter(2).
JS_FIRST = bytes.fromhex(
    "856f4a836d705be1017a0010aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa01010000000a0104020b110413051521340242075607"
    "5703700200010800000102017e02040205020700087f0000077e0008790874696e7962617365017401760470657473046669"
    "646f0161046e616d650002070205007e0104020105007e1400021601416c0900"
)
JS_COUNTER = bytes.fromhex(
    "856f4a8346a85381015f016d705be1a21d30f4bda82f5d3612a2d43cf02539d84ce1a73cf9c8f5166578f010aaaaaaaaaaaa"
    "aaaaaaaaaaaaaaaaaaaa020a0000000a01020202150334014202560257017002710273027f007f057f0161017f017f18027f"
    "017f007f06"
)
JS_ACTOR = b"\xaa" * 16

# Three changes of one actor, of which the third is numbered as if the second were not there. The binding
# takes in all of them, and then can neither give its changes nor load what it saves.
BACKWARDS = (
    bytes.fromhex(
        "856f4a83cbf97b6b01a70100100101010101010101010101010101010101010000000a0104020f1108130c15253404420c56"
        "0d5710700200010f00000102017e0204030505087f05020e0009040000027f0000087e0009030100017e740f780874696e79"
        "62617365017401760470657473046669646f01610162017300057f016c000208050102050002017f0405017f02020105007d"
        "1485010005167d00141601000000000000f83f68656c6c6f04781000"
    ),
    bytes.fromhex(
        "856f4a830dd4a7ca015f01cbf97b6bb06f8c0bd4894007c5da7029482c19e2014bb4ee0dfb509f972f450b10010101010101"
        "0101010101010101010102120000000a01020202150334014202560257017002710273027f007f057f0161017f017f14037f"
        "017f007f06"
    ),
    bytes.fromhex(
        "856f4a83ae649bae015f01cbf97b6bb06f8c0bd4894007c5da7029482c19e2014bb4ee0dfb509f972f450b10010101010101"
        "0101010101010101010103110000000a01020202150334014202560257017002710273027f007f057f0161017f017f14037f"
        "017f007f06"
    ),
)


def cbor_flood(kind: str, items: int) -> bytes:
    """A message of automerge-repo's with a list of nulls: as many items as bytes."""
    texts = [bytes([0x60 + len(text)]) + text.encode() for text in ("type", kind, "x")]
    return b"\xa2" + b"".join(texts) + b"\x9a" + items.to_bytes(4) + b"\xf6" * items


def chunk(kind: int, content: bytes) -> bytes:
    """A chunk with the checksum it should have."""
    body = bytes([kind]) + write_uint(len(content)) + content
    return b"\x85\x6f\x4a\x83" + sha256(body).digest()[:4] + body


def deflated(content: bytes) -> bytes:
    """Content compressed as Automerge does it, without a header."""
    deflater = zlib.compressobj(9, wbits=-15)
    return deflater.compress(content) + deflater.flush()


def refit(data: bytes) -> bytes:
    """A damaged chunk with its length and checksum mended, as an attacker would."""
    at = 9
    while at < len(data) and data[at] >= 0x80:
        at += 1
    return data if at + 1 >= len(data) else chunk(data[8], data[at + 1 :])


def base() -> tuple[bytes, bytes, bytes, bytes, bytes]:
    """A saved document with one of everything, and the ids of its table, row, text and list."""
    document = AutomergeDocument(actor=ACTOR)
    with document.transaction() as tx:
        root = tx.put_object(ROOT, "tinybase", ObjType.Map)
        tables = tx.put_object(root, "t", ObjType.Map)
        tx.put_object(root, "v", ObjType.Map)
        table = tx.put_object(tables, "pets", ObjType.Map)
        row = tx.put_object(table, "fido", ObjType.Map)
        tx.put(row, "a", ScalarType.Int, 1)
        tx.put(row, "b", ScalarType.F64, 1.5)
        text = tx.put_object(row, "s", ObjType.Text)
        tx.splice_text(text, 0, 0, "hello")
        items = tx.put_object(row, "l", ObjType.List)
        tx.insert(items, 0, ScalarType.Int, 4)
        tx.insert(items, 1, ScalarType.Str, "x")
    return document.save(), table, row, text, items


def honest_changes() -> tuple[bytes, list[bytes]]:
    """A saved document, and changes that follow on it."""
    saved, table, row, text, items = base()
    changes: list[bytes] = []

    def one(write: Callable[[CoreTransaction], object], actor: bytes = OTHER) -> None:
        document = AutomergeDocument(saved, actor=actor)
        before = document.heads
        with document.transaction() as tx:
            write(tx)
        changes.extend(document.changes_since(before))

    def many(tx: CoreTransaction) -> None:
        rex = tx.put_object(table, "rex", ObjType.Map)
        for number in range(8):
            tx.put(rex, f"c{number}", ScalarType.Int, number)
        name = tx.put_object(rex, "s", ObjType.Text)
        tx.splice_text(name, 0, 0, "abc")
        tx.put(row, "a", ScalarType.F64, 2.5)
        tx.delete(row, "b")

    one(lambda tx: tx.put(row, "a", ScalarType.Int, 2))
    one(lambda tx: tx.put(row, "a", ScalarType.Int, 3), ACTOR)
    one(lambda tx: tx.delete(row, "a"))
    one(lambda tx: tx.delete(table, "fido"))
    one(lambda tx: tx.put(row, "n", ScalarType.Null, None))
    one(lambda tx: tx.put(row, "y", ScalarType.Bytes, b"ab"))
    one(lambda tx: tx.put(row, "q", ScalarType.Boolean, True))
    one(lambda tx: tx.put(row, "q", ScalarType.Uint, 7))
    one(lambda tx: tx.splice_text(text, 2, 1, "XY"))
    one(lambda tx: tx.insert(items, 1, ScalarType.Int, 9))
    one(lambda tx: tx.delete(items, 0))
    one(many)
    one(many, b"\x00" * 16)
    return saved, changes


def numbered_wrongly(document: AutomergeDocument) -> bytes:
    """A change that the binding takes in, and with which a saved document cannot be loaded again."""
    other = AutomergeDocument(document.save(), actor=b"\x03" * 16)
    before = other.heads
    put(other, "x", 1)
    (raw,) = other.changes_since(before)
    (parsed,) = split_chunks(raw)
    body = bytearray(raw[parsed.start :])
    at = 1 + 32 * len(before) + 17 + 1  # the number of its first operation
    assert body[at] == 2
    body[at] = 1
    return chunk(1, bytes(body))
