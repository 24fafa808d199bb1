"""What all errors have in common."""

from __future__ import annotations

__all__ = ["WeftError", "shown"]

_SHOWN = 200  # characters of foreign data in a message; enough to recognise it, too few to flood a log


def shown(data: object) -> str:
    """Foreign data as it may stand in a message."""
    try:
        text = repr(data)
    except Exception as error:  # noqa: BLE001 - an integer of 5,000 digits cannot be shown
        text = f"data of type {type(data).__name__} that cannot be shown ({type(error).__name__})"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


class WeftError(Exception):
    """Base of all errors weft raises."""
