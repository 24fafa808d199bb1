"""State vectors and delete sets: how far each client's structs are known, and which of them are deleted.

Format: y-protocols (a state vector is a count, then pairs of client and clock) and yjs ``DeleteSet.js``
(clients, for each its ranges as clock and length), all varuints.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from weft._codecs.yjs.lib0 import Reader, Writer

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "EMPTY_UPDATE", "DeleteSet", "State", "decode_delete_set", "decode_state_vector", "deleted_up_to",
    "encode_state_vector", "missing", "read_delete_set",
]  # fmt: skip

State: TypeAlias = dict[int, int]
"""For each client a clock: all its structs before that are meant."""

DeleteSet: TypeAlias = dict[int, list[tuple[int, int]]]
"""For each client, deleted ranges as first clock and length."""

EMPTY_UPDATE = b"\0\0"  # neither structs nor deletions


def decode_state_vector(data: bytes) -> State:
    """Decode a Yjs state vector.

    Raises:
        RemoteProtocolError: The bytes are not one.
    """
    reader = Reader(data)
    state = {}
    for _ in range(reader.uint()):
        client = reader.uint()
        state[client] = reader.uint()
    return state


def encode_state_vector(state: Mapping[int, int]) -> bytes:
    """Encode a Yjs state vector, clients in descending order as Yjs has them."""
    out = Writer().uint(len(state))
    for client in sorted(state, reverse=True):
        out.uint(client).uint(state[client])
    return out.finish()


def missing(state: Mapping[int, int], wanted: Mapping[int, int]) -> State:
    """What a state lacks of another one: that one's clock, for each client of which something is missing."""
    return {client: clock for client, clock in wanted.items() if clock > state.get(client, 0)}


def read_delete_set(reader: Reader) -> DeleteSet:
    """Read a Yjs v1 delete set."""
    deletes: DeleteSet = {}
    for _ in range(reader.uint()):
        ranges = deletes.setdefault(reader.uint(), [])
        for _ in range(reader.uint()):
            ranges.append((reader.uint(), reader.uint()))
    return deletes


def decode_delete_set(data: bytes) -> DeleteSet:
    """Decode a Yjs v1 delete set.

    Raises:
        RemoteProtocolError: The bytes are not one.
    """
    return read_delete_set(Reader(data))


def deleted_up_to(deletes: bytes) -> State:
    """The state that a document must have to know all that a delete set names."""
    state: State = {}
    for client, ranges in decode_delete_set(deletes).items():
        end = 0
        for start, length in ranges:
            end = max(end, start + length)
        state[client] = end
    return state
