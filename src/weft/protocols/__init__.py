"""Wire protocols as state machines: bytes and time in, effects out.

One package for each protocol: :mod:`weft.protocols.ysync` (y-websocket),
:mod:`weft.protocols.automerge_repo`, :mod:`weft.protocols.tinybase` and, inside others,
:mod:`weft.protocols.awareness`. They are imported by name, so that a program loads those it speaks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft._support.lazy import lazy_exports

if TYPE_CHECKING:
    from weft.protocols import (
        automerge_repo as automerge_repo,
        awareness as awareness,
        tinybase as tinybase,
        ysync as ysync,
    )
else:
    __getattr__, __dir__, __all__ = lazy_exports(
        __name__, {"automerge_repo": "", "awareness": "", "tinybase": "", "ysync": ""}
    )
