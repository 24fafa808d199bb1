"""What a replica's file says of itself, beside the updates."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

__all__ = ["Kind", "Meta", "begin_session", "decode_meta", "encode_meta", "replace"]

Kind: TypeAlias = Literal["yjs", "automerge", "mergeable"]


@dataclass(frozen=True, slots=True)
class Meta:
    """The one row of the table ``meta``.

    Attributes:
        kind: Of the document.
        author: Under whose id it is written here: a client id in decimal, an actor in hexadecimal digits, or
            the five characters that end its stamps.
        url: Automerge: the document's.
        room: Not Automerge: the room's name, from the first connection on; empty before.
        is_new: Automerge: whether the URL was drawn here, so that nobody is expected to have it.
        token: Drawn anew with each author; stands beside the file, too.
        session: How often the file was opened; stands beside the file, too.
        confirmed: How much the server has confirmed: a state vector, or heads one behind the other.
        places: Mergeable: where something was written in those rows up to ``accounted`` that it has not.
        deletes: Yjs: a delete set of those rows up to ``accounted`` that it has not.
        accounted: The number of a row. Of those up to it, what is not confirmed stands here.
        exposed: Yjs: the author's clock up to which anything may have been sent; below 0 for all of it.
        is_taken: Yjs: whether a server knows more of the author than that: another one writes with it.
        folded: How many of them were written here, and not confirmed.
        folded_bytes: How many bytes they had.
        synced: Seconds since 1970 when file and server were last equal.
    """

    kind: Kind
    author: str
    url: str = ""
    room: str = ""
    is_new: bool = False
    token: str = ""
    session: int = 0
    confirmed: bytes = b""
    deletes: bytes = b""
    places: Sequence[Sequence[str]] = ()
    accounted: int = 0
    exposed: int = -1
    is_taken: bool = False
    folded: int = 0
    folded_bytes: int = 0
    synced: float | None = None


def begin_session(
    meta: Meta, *, is_proved: bool, last: int, author: Callable[[], str], token: Callable[[], str]
) -> Meta:
    """What the file is to say when it has been opened once more.

    Args:
        meta: What it says; where its author is taken, there are no rows.
        is_proved: Whether it is certain that no other file has the same author.
        last: Number of its last row.
        author: Draws a new one, where it is not.
        token: Draws a new one with it.
    """
    if meta.is_taken or not is_proved:
        meta = replace(meta, author=author(), token=token(), session=0, exposed=0, is_taken=False)
    # The numbers of rows that never came to the disk are given once more.
    return replace(meta, session=meta.session + 1, accounted=min(meta.accounted, last))


def encode_meta(meta: Meta) -> tuple[int, str]:
    """The row: a checksum, and JSON with bytes in hexadecimal digits."""
    text = json.dumps({field.name: _shown(getattr(meta, field.name)) for field in fields(meta)})
    return zlib.crc32(text.encode()), text


def decode_meta(checksum: object, text: object) -> Meta:
    """Read the row.

    Raises:
        ValueError: It is damaged.
    """
    if not isinstance(text, str) or zlib.crc32(text.encode()) != checksum:
        raise ValueError("what it says of itself does not match its checksum")
    found: dict[str, Any] = json.loads(text)
    for name in ("confirmed", "deletes"):
        found[name] = bytes.fromhex(found[name])
    known = {field.name for field in fields(Meta)}  # a newer weft may have added some
    return Meta(**{key: value for key, value in found.items() if key in known})


def _shown(value: object) -> object:
    return value.hex() if isinstance(value, bytes) else value
