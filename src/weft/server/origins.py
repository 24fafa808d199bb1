"""Web origins: how the ``Origin`` header of a browser spells the site that a page is of."""

from __future__ import annotations

from urllib.parse import urlsplit

__all__ = ["check_origin"]

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
