"""URLs as they may stand in messages and logs, and which hosts are this machine."""

from __future__ import annotations

import ipaddress
import re

__all__ = ["is_loopback", "shown_url"]

_URL = re.compile(
    r"""([a-z][a-z0-9+.-]*://)(?:[^/?#\s]*@)?([^?#\s'"<>]*)(?:[?#][^\s'"<>]*)?""", re.IGNORECASE
)


def shown_url(text: str) -> str:
    """A URL, or a text with URLs in it, without their queries, fragments and users, which may be secret."""
    return _URL.sub(r"\1\2", text)


def is_loopback(host: str) -> bool:
    """Whether a host, by name or address, is this machine and reached without a network."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
