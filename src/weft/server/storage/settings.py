"""The settings of a room, as they are stored."""

from __future__ import annotations

import json
from typing import Any

from weft.errors import RoomDamagedError

__all__ = ["read_settings"]


def read_settings(room: str, text: object) -> dict[str, Any]:
    """Read what was stored.

    Raises:
        RoomDamagedError: It is something else.
    """
    try:
        settings = json.loads(text) if isinstance(text, str) else None
    except ValueError:
        settings = None
    if not isinstance(settings, dict):
        raise RoomDamagedError(room, f"its settings are not a JSON object: {text!r:.100}")
    return settings
