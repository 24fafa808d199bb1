"""Ids and URLs of automerge-repo documents.

Format: a document id is the base58check form (Bitcoin's alphabet; four bytes of a double SHA-256 behind) of
16 random bytes, and its URL has ``automerge:`` before that. A URL may name heads after a ``#``.
"""

from __future__ import annotations

from hashlib import sha256

__all__ = ["decode_document_id", "document_url", "encode_document_id", "parse_document_url"]

_PREFIX = "automerge:"
_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_DIGITS = {character: digit for digit, character in enumerate(_ALPHABET)}
_BYTES = 16
_MAX_TEXT = 64  # characters; 16 bytes and a checksum are 28 at most


def encode_document_id(data: bytes) -> str:
    """The id of a document.

    Args:
        data: 16 bytes, such as a random UUID's.

    Raises:
        ValueError: They are not 16.
    """
    if len(data) != _BYTES:
        raise ValueError(f"a document id has {_BYTES} bytes, not {len(data)}")
    whole = data + _checksum(data)
    number = int.from_bytes(whole)
    digits = ""
    while number:
        number, digit = divmod(number, 58)
        digits = _ALPHABET[digit] + digits
    return "1" * (len(whole) - len(whole.lstrip(b"\0"))) + digits


def decode_document_id(text: str) -> bytes:
    """The 16 bytes of a document id.

    Raises:
        ValueError: It is none: a wrong character, length or checksum.
    """
    number = 0
    if len(text) > _MAX_TEXT:
        raise ValueError("this is longer than a document id")
    for character in text:
        digit = _DIGITS.get(character)
        if digit is None:
            raise ValueError(f"{text!r} is no document id: {character!r} is not of the base58 alphabet")
        number = number * 58 + digit
    zeros = len(text) - len(text.lstrip("1"))
    whole = bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8)
    data, checksum = whole[:-4], whole[-4:]
    if len(data) != _BYTES or checksum != _checksum(data):
        raise ValueError(f"{text!r} is no document id: its length or checksum is wrong")
    return data


def document_url(document_id: str) -> str:
    """The URL of a document."""
    return _PREFIX + document_id


def parse_document_url(url: str) -> str:
    """The document id in a URL, or the id itself.

    Raises:
        ValueError: It is neither, or it names heads: it stands for the document as it was at these, for
            reading, and whoever opened the living document instead would edit what was not meant.
    """
    document_id, names_heads, _ = url.removeprefix(_PREFIX).partition("#")
    decode_document_id(document_id)
    if names_heads:
        raise ValueError(
            f"{url!r:.200} names a document as it was at certain heads, which weft does not open; for the "
            f"document as it is now, leave out what comes after it: {document_url(document_id)}"
        )
    return document_id


def _checksum(data: bytes) -> bytes:
    return sha256(sha256(data).digest()).digest()[:4]
