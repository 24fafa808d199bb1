"""State vectors and delete sets."""

from __future__ import annotations

from weft._codecs.yjs.lib0 import Reader

__all__ = ["Ranges", "decode_state_vector", "read_delete_set"]


Ranges = dict[int, list[tuple[int, int]]]


def read_delete_set(data: bytes) -> Ranges:
    """Decode a Yjs v1 delete set into clock ranges ``(start, length)`` for each client."""
    reader = Reader(data)
    ranges: Ranges = {}
    for _ in range(reader.uint()):
        client = reader.uint()
        ranges.setdefault(client, []).extend((reader.uint(), reader.uint()) for _ in range(reader.uint()))
    return ranges


def decode_state_vector(data: bytes) -> dict[int, int]:
    """Decode a Yjs state vector (y-protocols: count, then client and clock pairs, all varuints).

    Raises:
        RemoteProtocolError: The bytes are not one.
    """
    reader = Reader(data)
    state = {}
    for _ in range(reader.uint()):
        client = reader.uint()
        state[client] = reader.uint()
    return state
