"""Rows that are missing, and that somebody has decided to do without."""

from __future__ import annotations

import logging

__all__ = ["report_accepted"]

_log = logging.getLogger("weft.server")


def report_accepted(room: str, missing: int) -> None:
    """Log that a room is whole from now on without rows that it had, or with rows that it should not have."""
    if missing:
        _log.error(
            "room %.200r: it opens from now on %s, as somebody has accepted that; what they held is lost "
            "unless a client that has it connects",
            *(
                room,
                f"without {missing} rows that are missing" if missing > 0 else f"with {-missing} rows more",
            ),
        )
