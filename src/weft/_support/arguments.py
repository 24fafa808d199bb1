"""Saying at once, and in one form, that an argument is of the wrong kind."""

from __future__ import annotations

__all__ = ["wrong_kind"]


def wrong_kind(needed: str, given: object) -> TypeError:
    """Make the error for an argument that is something else than what is needed.

    Args:
        needed: What is needed, as the reader knows it: ``"a weft.Store"``.
        given: What was given; its type is named.
    """
    kind = type(given)
    name = f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins.")
    return TypeError(f"{needed} is needed here, and this is of type {name}")
