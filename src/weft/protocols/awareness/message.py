"""Reading awareness messages: whole, and within the limits, before anything counts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from weft._codecs.yjs.lib0 import Reader
from weft.errors import InvalidJsonError, RemoteProtocolError
from weft.jsoncodec import loads

if TYPE_CHECKING:
    from weft.limits import Limits

__all__ = ["AwarenessEntry", "State", "read_entries"]

State: TypeAlias = dict[str, Any]

_MIN_ENTRY = 5  # bytes: id, clock, length and the two of "{}"


@dataclass(frozen=True, slots=True)
class AwarenessEntry:
    """One entry of a message; ``state`` is ``None`` for a client who has left."""

    client_id: int
    clock: int
    state: State | None
    text: str


def read_entries(data: bytes, limits: Limits) -> tuple[list[AwarenessEntry], int]:
    """Decode an awareness message (y-protocols ``awareness.js``).

    States that are too large or no objects are left out and counted. A server hands on what others sent, so
    they are not the fault of the connection they come by, and closing it would bring them again.

    Args:
        data: The message, without framing.
        limits: How many entries, and how large.

    Returns:
        The entries, and how many were left out.

    Raises:
        RemoteProtocolError: It is malformed, or announces more entries than a room may have.
    """
    reader = Reader(data)
    count = reader.uint()
    # One more than is kept, as everybody's own state has its place besides.
    if count > limits.max_awareness_states + 1 or count * _MIN_ENTRY > reader.remaining:
        raise RemoteProtocolError(f"awareness message with {count} entries announced")
    entries = []
    for _ in range(count):
        client_id, clock, text = reader.uint(), reader.uint(), reader.string()
        if len(text) > limits.max_awareness_state or len(text.encode()) > limits.max_awareness_state:
            continue
        state, text = _load_state(text)
        if state is None or isinstance(state, dict):
            entries.append(AwarenessEntry(client_id, clock, state, text))
    reader.expect_end()
    return entries, count - len(entries)


_ESCAPE = re.compile(r"\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|u[dD][89a-fA-F]..|.)", re.DOTALL)


def _load_state(text: str) -> tuple[object, str]:
    """Read the JSON of a state; give it and the text to relay.

    JavaScript writes half a surrogate pair, as a text cut at the wrong place has it, as an escape. No UTF-8
    can carry that, and Yjs replaces it by U+FFFD, so it is no reason to let a client go.
    """
    if "\\u" in text:
        text = _ESCAPE.sub(lambda found: "\\ufffd" if _is_half_pair(found[0]) else found[0], text)
    try:
        state = loads(text)
    except InvalidJsonError as error:
        raise RemoteProtocolError(f"awareness state: {error}") from error
    return state, text


def _is_half_pair(escape: str) -> bool:
    return len(escape) == 6 and escape[2] in "dD" and escape[3] in "89abcdefABCDEF"
