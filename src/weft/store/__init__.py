"""The Store: tables, rows, cells and keyed values that tell listeners what changes."""

from __future__ import annotations

from weft.store._store import Store

__all__ = ["Store"]
