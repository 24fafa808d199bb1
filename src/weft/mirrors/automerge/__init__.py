"""The mirror of a Store in an Automerge document."""

from __future__ import annotations

from weft.mirrors.automerge.mirror import AutomergeMirror

__all__ = ["AutomergeMirror"]
