"""Web origins: how the ``Origin`` header of a browser spells the site that a page is of."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["check_origin", "origin_check"]

_DEFAULT_PORTS = {"http": 80, "https": 443}


def check_origin(text: str) -> str:
    """Check that a browser can send this as an origin, and return it. Others would never match, silently.

    Args:
        text: Such as ``https://app.example.com``, or ``null``, which pages without a site send.

    Raises:
        ValueError: No browser sends it; the text says what one would send.
    """
    if text == "null":
        return text
    scheme, found, rest = text.partition("://")
    if not found or not scheme:
        raise ValueError(
            f"{text!r} is not a web origin: it begins with the scheme, as in https://{text or 'example.com'}"
        )
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"{text!r} is not a web origin: {error}") from None
    host = parts.hostname or ""
    if not host and rest:
        raise ValueError(f"{text!r} is not a web origin: it names no host")
    if ":" in host:
        host = f"[{host}]"
    origin = f"{parts.scheme}://{host}"
    if port is not None and port != _DEFAULT_PORTS.get(parts.scheme):
        origin += f":{port}"
    if text != origin:
        raise ValueError(f"{text!r} is not a web origin: browsers send {origin}, without path and user")
    return text


def origin_check(
    origins: Sequence[str | None] | Callable[[str | None], bool] | None,
) -> Callable[[str | None], bool]:
    """What decides on the ``Origin`` header of a request; without a list or a function all may connect.

    Raises:
        ValueError: One in the list is none that a browser sends.
    """
    if origins is None:
        return lambda _: True
    if callable(origins):
        return origins
    for origin in origins:
        if origin is not None:
            check_origin(origin)
    return frozenset(origins).__contains__
