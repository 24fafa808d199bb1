"""What the clients of a room say of themselves, between the processes of a server."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from weft.protocols.awareness import Awareness, AwarenessChange

__all__ = ["SharedAwareness"]

_AT_ONCE = 32  # states in one message: 128 KiB at most with the default limits, and a broker's may be 1 MiB


class SharedAwareness:
    """Passes on what this process's clients say, and takes in what those of others do.

    Args:
        awareness: The room's.
        clock: Seconds, monotonic.
        tell: Passes bytes on to the other processes.
        flush: Tells the clients of this one now what has changed; nothing where they are told at once.
        soon: Has something done at the end of the turn; the event loop's ``call_soon`` without it.
    """

    def __init__(
        self,
        awareness: Awareness,
        *,
        clock: Callable[[], float],
        tell: Callable[[bytes], None],
        flush: Callable[[], None] | None = None,
        soon: Callable[[Callable[[], None]], object] | None = None,
    ) -> None:
        self._awareness = awareness
        self._clock = clock
        self._tell = tell
        self._flush = flush
        self._soon = soon
        self._processes: dict[bytes, object] = {}  # the origin of what each says
        self._changed: dict[int, None] = {}  # whose states are to be told at the end of the turn
        self._end = awareness.observe(self._note)

    def close(self) -> None:
        """Pass on nothing more."""
        self._end()

    def hear(self, sender: bytes, data: bytes) -> None:
        """Take in what another process passes on.

        Raises:
            RemoteProtocolError: It is no awareness message.
        """
        origin = self._processes.get(sender)
        if origin is None:
            origin = self._processes[sender] = object()
            self._awareness.relays.add(origin)
        self._awareness.apply(data, now=self._clock(), origin=origin)

    def own_words(self) -> Sequence[bytes]:
        """The states of this process's clients."""
        return self._encode(self._awareness.ids_here())

    def forget(self, sender: bytes) -> None:
        """Another process is gone: so are the clients known by it."""
        origin = self._processes.pop(sender, None)
        if origin is not None:
            change = self._awareness.release(origin, now=self._clock(), forget=False)
            if self._flush is not None:
                self._flush()  # before the clocks are forgotten, with which it is told
            self._awareness.forget(change.ids)
            self._awareness.relays.discard(origin)

    def _note(self, change: AwarenessChange, origin: object | None) -> None:
        if origin in self._awareness.relays:
            return
        ids = change.ids
        if origin is None:
            # Who was not heard of here may be well elsewhere; each process sees for itself who has expired.
            own = self._awareness.client_id
            ids = (own,) if own in ids else ()
        if not ids:
            return
        if not self._changed:
            (self._soon or asyncio.get_running_loop().call_soon)(self._pass_on)
        self._changed.update(dict.fromkeys(ids))

    def _pass_on(self) -> None:
        changed, self._changed = self._changed, {}
        for words in self._encode(tuple(changed)):
            self._tell(words)

    def _encode(self, ids: Sequence[int]) -> list[bytes]:
        return [self._awareness.encode(ids[at : at + _AT_ONCE]) for at in range(0, len(ids), _AT_ONCE)]
