"""How much of a room is read or deleted at a time, so that nobody waits long for it."""

from __future__ import annotations

__all__ = ["SLICE_BYTES", "SLICE_ROWS"]

# Some milliseconds of work each. Between two slices what is queued is committed.
SLICE_ROWS = 1_000
SLICE_BYTES = 4 * 1024 * 1024
