"""The mirror of a Store in a mergeable document."""

from __future__ import annotations

from weft.mirrors.mergeable.mirror import MergeableMirror as MergeableMirror

__all__ = ["MergeableMirror"]
