"""weft: a reactive, tabular Store whose content lives in a CRDT document."""

from __future__ import annotations

from weft import errors
from weft.changes import Changes, Content
from weft.errors import WeftError
from weft.store import Store
from weft.values import UNDEFINED, Cell, Undefined, Value

__all__ = [
    "UNDEFINED",
    "Cell",
    "Changes",
    "Content",
    "Store",
    "Undefined",
    "Value",
    "WeftError",
    "errors",
]
