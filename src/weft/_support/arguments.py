"""Saying at once, and in one form, that an argument is of the wrong kind."""

from __future__ import annotations

import math
import os
import re

__all__ = ["check_callable", "check_seconds", "path_of", "wrong_kind"]

_URL = re.compile(r"[a-z][a-z0-9+.-]+://|file:", re.IGNORECASE)


def wrong_kind(needed: str, given: object) -> TypeError:
    """Make the error for an argument that is something else than what is needed.

    Args:
        needed: What is needed, as the reader knows it: ``"a weft.Store"``.
        given: What was given; its type is named.
    """
    kind = type(given)
    name = f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins.")
    return TypeError(f"{needed} is needed here, and this is of type {name}")


def check_callable(name: str, given: object) -> None:
    """Check an optional function.

    Raises:
        TypeError: It is neither ``None`` nor can it be called.
    """
    if given is not None and not callable(given):
        raise wrong_kind(f"a function for {name}", given)


def check_seconds(name: str, given: object, *, or_zero: bool = False) -> None:
    """Check a number of seconds; with ``or_zero`` it may be zero.

    Raises:
        TypeError: It is no number.
        ValueError: It is not finite, or not above zero.
    """
    if not isinstance(given, int | float) or isinstance(given, bool):
        raise wrong_kind(f"a number of seconds for {name}", given)
    if not (math.isfinite(given) and (given > 0 or (or_zero and given == 0))):
        bound = "0 or more" if or_zero else "above 0"
        raise ValueError(f"{name} must be a number of seconds, {bound}, not {given!r}")


def path_of(given: object, needed: str = "a path, as str or pathlib.Path,") -> str:
    """Take the path of a file or directory as text.

    Args:
        given: What was given.
        needed: What is needed, where it may be something else, too.

    Raises:
        TypeError: It is no path, or one in bytes.
        ValueError: It is empty, as variables of the environment are that nobody has set, holds a NUL
            character, or is a URL.
    """
    path = os.fspath(given) if isinstance(given, str | os.PathLike) else given
    if not isinstance(path, str):
        raise wrong_kind(needed, given)
    if not path or "\0" in path:
        raise ValueError(f"a path is needed here, and not {path!r}")
    if _URL.match(path):
        raise ValueError("a path is needed here, and this is a URL, which would be taken for a file's name")
    return path
