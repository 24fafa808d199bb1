"""The mirror of a Store in a Yjs document."""

from __future__ import annotations

from weft.mirrors.yjs.mirror import YjsMirror, create_doc

__all__ = ["YjsMirror", "create_doc"]
