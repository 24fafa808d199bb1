"""Making an Automerge change that sets one key of one map.

Format: the Automerge binary document format specification, version 1: the same bytes as the binding's. What
:mod:`weft._codecs.automerge.change_builder` makes for any number of operations takes four times as long for
one.
"""

from __future__ import annotations

import struct
from hashlib import sha256
from typing import TYPE_CHECKING

from weft._codecs.automerge.chunks import CHANGE, MAGIC
from weft._codecs.automerge.leb128 import write_bytes, write_int, write_uint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weft._codecs.automerge.change import OpId

__all__ = ["make_put"]


def make_put(
    actor: bytes,
    seq: int,
    start_op: int,
    deps: Sequence[bytes],
    obj: OpId,
    key: str,
    value: int | float | None,
    pred: OpId | None,
) -> tuple[bytes, bytes]:
    """Make the chunk of a change; gives it, and its hash.

    Args:
        actor: Who makes it.
        seq: The number, from 1, of the change among the actor's.
        start_op: Counter of its operation.
        deps: Heads of the document, sorted.
        obj: The map.
        key: The key.
        value: What it is set to; ``int`` and ``float`` are different types here.
        pred: What stands there, and is all that stands there.
    """
    kind, raw = 0, b""
    if isinstance(value, bool):
        kind = 2 if value else 1
    elif isinstance(value, int):
        kind, raw = 4, write_int(value)
    elif value is not None:
        kind, raw = 5, struct.pack("<d", value)
    others = sorted({obj[0]} if pred is None else {obj[0], pred[0]})
    if actor in others:
        others.remove(actor)
    # Each column is a run of one literal.
    columns = [
        (1, b"\x7f" + write_uint(_place(obj[0], actor, others))),
        (2, b"\x7f" + write_uint(obj[1])),
        (21, b"\x7f" + write_bytes(key.encode())),
        (52, b"\x01"),
        (66, b"\x7f\x01"),
        (86, b"\x7f" + write_uint(len(raw) << 4 | kind)),
    ]
    if raw:
        columns.append((87, raw))
    if pred is None:
        columns.append((112, b"\x7f\x00"))
    else:
        columns += (
            (112, b"\x7f\x01"),
            (113, b"\x7f" + write_uint(_place(pred[0], actor, others))),
            (115, b"\x7f" + write_int(pred[1])),
        )
    body = b"".join(
        (
            write_uint(len(deps)), *deps, write_bytes(actor), write_uint(seq), write_uint(start_op),
            b"\0\0", write_uint(len(others)), *map(write_bytes, others), write_uint(len(columns)),
            *[bytes((spec,)) + write_uint(len(column)) for spec, column in columns],
            *[column for _, column in columns],
        )
    )  # fmt: skip
    named = bytes((CHANGE,)) + write_uint(len(body)) + body
    name = sha256(named).digest()
    return MAGIC + name[:4] + named, name


def _place(actor: bytes, author: bytes, others: Sequence[bytes]) -> int:
    return 0 if actor == author else others.index(actor) + 1
