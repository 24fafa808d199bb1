"""Awareness messages as any peer might write them."""

from __future__ import annotations

from weft._codecs.yjs.lib0 import Writer
from weft.jsoncodec import dumps


def message(*entries: tuple[int, int, object]) -> bytes:
    """An awareness message; a state that is ``bytes`` is put in as it is."""
    writer = Writer().uint(len(entries))
    for client_id, clock, state in entries:
        text = state if isinstance(state, bytes) else dumps(state).encode()
        writer.uint(client_id).uint(clock).bytes(text)
    return writer.finish()
