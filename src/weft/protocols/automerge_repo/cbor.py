"""CBOR as automerge-repo speaks it, decoded strictly and within bounds.

Format: RFC 8949, of which cbor-x (its JavaScript end) writes plain items of definite length. What it never
writes is refused before the decoder sees it: tags, items of indefinite length, keys that are no text or stand
twice, bytes behind the item. Each item is Python's work, so there is a budget of them, and a container takes
its share by what its head says, before it is walked.
"""

from __future__ import annotations

import cbor2

from weft.errors import RemoteProtocolError

__all__ = ["MAX_ITEMS", "decode", "encode"]

# Items of a message, with the keys of its maps: about 10 ms. JavaScript's have a dozen, and one for each peer
# that somebody wants to hear of.
MAX_ITEMS = 10_000
_MAX_DEPTH = 32
_UINT, _NEGATIVE, _BYTES, _TEXT, _ARRAY, _MAP, _TAG = range(7)
_FALSE, _UNDEFINED, _HALF, _DOUBLE = 20, 23, 25, 27  # of major type 7


def encode(value: object) -> bytes:
    """Encode a value.

    Raises:
        TypeError, ValueError: CBOR, or the other end, has no form for it.
    """
    try:
        return cbor2.dumps(value)
    except cbor2.CBOREncodeError as error:
        raise TypeError(f"CBOR cannot carry it: {error}") from error


def decode(data: bytes, *, max_items: int = MAX_ITEMS) -> object:
    """Decode one item that fills the data. JavaScript's ``undefined`` becomes ``None``.

    Args:
        data: The item.
        max_items: How many may be in it, itself and the keys of maps among them.

    Raises:
        RemoteProtocolError: It is anything else, or has more.
    """
    _check(data, max_items - 1)
    try:
        return _plain(cbor2.loads(data))
    except (cbor2.CBORDecodeError, UnicodeDecodeError, ValueError) as error:
        raise RemoteProtocolError(f"a CBOR item cannot be read: {error}") from error


def _plain(value: object) -> object:
    if value is cbor2.undefined:
        return None
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def _check(data: bytes, budget: int) -> None:
    end = len(data)
    at = 0
    # For each open container: items left, and the keys of a map so far (every other item is one).
    stack: list[list[int]] = [[1]]
    keys: list[set[bytes] | None] = [None]
    while stack:
        if stack[-1][0] == 0:
            stack.pop()
            keys.pop()
            continue
        left = stack[-1][0] = stack[-1][0] - 1
        if at >= end:
            raise RemoteProtocolError("a CBOR item ends too early")
        major, info = data[at] >> 5, data[at] & 31
        at += 1
        if info < 24:
            value = info
        elif info <= 27:
            size = 1 << (info - 24)
            if at + size > end:
                raise RemoteProtocolError("a CBOR item ends too early")
            value = int.from_bytes(data[at : at + size])
            at += size
        else:
            raise RemoteProtocolError("a CBOR item is of indefinite or reserved length")
        if major in {_BYTES, _TEXT}:
            at += value
            if at > end:
                raise RemoteProtocolError("a CBOR string is longer than the message")
        elif major in {_ARRAY, _MAP}:
            count = value * 2 if major == _MAP else value
            if count > end - at:
                raise RemoteProtocolError("a CBOR container is larger than the message")
            budget -= count
            if budget < 0:
                raise RemoteProtocolError("a CBOR message has too many items")
            if len(stack) > _MAX_DEPTH:
                raise RemoteProtocolError("a CBOR item is nested too deeply")
        elif major == _TAG:
            raise RemoteProtocolError("a CBOR item has a tag")
        elif major > _TAG and not (_FALSE <= info <= _UNDEFINED or _HALF <= info <= _DOUBLE):
            raise RemoteProtocolError("a CBOR item is a simple value without a meaning")
        seen = keys[-1]
        if seen is not None and left % 2:
            if major != _TEXT:
                raise RemoteProtocolError("a key of a CBOR map is no text")
            key = data[at - value : at]
            if key in seen:
                raise RemoteProtocolError(f"a CBOR map has the key {key!r:.60} twice")
            seen.add(key)
        if major in {_ARRAY, _MAP}:
            stack.append([count])
            keys.append(set() if major == _MAP else None)
    if at != end:
        raise RemoteProtocolError("bytes follow after a CBOR item")
