"""Addresses of shared Stores, and which protocol each is spoken to by.

A protocol is one entry of :data:`PROTOCOLS` and one module of this package.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

from weft._support.arguments import wrong_kind
from weft._support.urls import shown_url

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["FORMS", "PROTOCOLS", "Address"]

PROTOCOLS = {
    "ws": "ysync",
    "wss": "ysync",
    "automerge+ws": "automerge_repo",
    "automerge+wss": "automerge_repo",
    "tinybase+ws": "tinybase",
    "tinybase+wss": "tinybase",
}
"""Scheme to the module of this package that speaks it: see ``protocol.py``."""

FORMS = (
    "ws://HOST:PORT/ROOM or automerge+ws://HOST:PORT#automerge:ID or tinybase+ws://HOST:PORT/ROOM "
    "(wss:// likewise)"
)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a shared Store is.

    Attributes:
        scheme: What is spoken there, a key of :data:`PROTOCOLS`.
        server: ``ws://`` or ``wss://`` with the host and port, without a path.
        path: What follows, without the first slash, as it was written.
        fragment: What stands behind ``#``.
        params: The query's parameters.
        text: The address without its query, which may be secret.
    """

    scheme: str
    server: str
    path: str
    fragment: str
    params: Mapping[str, str] = field(default_factory=dict, repr=False)
    text: str = ""

    @classmethod
    def parse(cls, given: str) -> Address:
        """Read an address.

        Raises:
            TypeError: It is no text.
            ValueError: It is none, or nothing known is spoken there.
        """
        if not isinstance(given, str):
            raise wrong_kind(f"an address, such as {FORMS},", given)
        scheme, separator, _ = given.partition("://")
        if not separator:
            raise ValueError(f"{given!r} is no address of a server: give {FORMS}; weft.open opens places")
        scheme = scheme.lower()
        if scheme not in PROTOCOLS:
            hint = "; weft.open opens it" if scheme.startswith("postgres") else ""
            raise ValueError(f"{scheme}:// is not known here: give {FORMS}{hint}")
        parts = urlsplit(given)
        return cls(
            scheme,
            f"{scheme.rpartition('+')[2]}://{parts.netloc}",
            parts.path.removeprefix("/"),
            parts.fragment,
            dict(parse_qsl(parts.query, keep_blank_values=True)),
            shown_url(given) + (f"#{parts.fragment}" if parts.fragment else ""),
        )
