"""Wire protocols as state machines: bytes and time in, effects out.

One package for each protocol: :mod:`weft.protocols.ysync` (y-websocket), :mod:`weft.protocols.automerge_repo`
and, inside others, :mod:`weft.protocols.awareness`. They are imported by name, so that
a program loads those it speaks.
"""

from __future__ import annotations

__all__: list[str] = []
