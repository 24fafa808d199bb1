"""Where a server or a room of one is: the URL, as the JavaScript client would spell it."""

from __future__ import annotations

import inspect
import ipaddress
import re
from typing import TYPE_CHECKING, TypeAlias, TypeVar
from urllib.parse import quote, unquote, urlencode, urlsplit

from weft._support.arguments import wrong_kind

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

__all__ = ["Given", "check_server", "check_url", "names_room", "resolve", "room_url"]

T = TypeVar("T")

Given: TypeAlias = "T | Callable[[], T | Awaitable[T]] | None"
"""A value, or a function or coroutine function that is asked for it at each connect."""

# What browsers leave alone in a path (WHATWG URL, path percent-encode set), so that one room name reaches one
# room from both languages: servers take the path as it is. "?" and "#" would end the path, and are encoded.
_PATH_SAFE = "/%!$&'()*+,;=:@[]|^-._~"
_LABEL = re.compile(r"[A-Za-z0-9_-]{1,63}")
_DOTS = re.compile(r"(?:^|/)(?:\.|%2e){1,2}(?:/|$)", re.IGNORECASE)


def check_server(url: str) -> str:
    """Check the address of a server: ``ws://`` or ``wss://``, a host, and optionally a path. Returns it.

    Raises:
        ValueError: It cannot be used.
    """
    if not isinstance(url, str):
        raise wrong_kind("the URL of a server, as str,", url)
    parts = urlsplit(url)
    if parts.scheme not in {"ws", "wss"} or not parts.hostname:
        raise ValueError(f"url must be ws://host or wss://host, with port and path as needed; got {url!r}")
    _check_host(url, parts.hostname)
    try:
        is_port = parts.port != 0
    except ValueError:
        is_port = False
    if not is_port:
        raise ValueError(f"the port must be one of 1 to 65535; got {url!r}")
    if parts.query or parts.fragment:
        raise ValueError("url must have no query and no fragment; query parameters go into params")
    return url


def _check_host(url: str, host: str) -> None:
    """Refuse what no resolver can know, and what would be asked for again and again."""
    try:
        if ":" in host:
            ipaddress.ip_address(host)
        elif not all(map(_LABEL.fullmatch, host.encode("idna").decode().removesuffix(".").split("."))):
            raise ValueError("not a name")
    except ValueError as error:  # UnicodeError is one
        raise ValueError(f"the host must be a name or an address; got {url!r}") from error


def check_url(url: str, room: str) -> str:
    """Check the two parts of a room's address and join them, without parameters.

    Args:
        url: The server's address; slashes at the end are dropped.
        room: Name of the room; may hold slashes.

    Raises:
        ValueError: One of them cannot be used.
    """
    check_server(url)
    if not isinstance(room, str):
        raise wrong_kind("the name of a room, as str,", room)
    if not room:
        raise ValueError("room must not be empty")
    if _DOTS.search(room):
        raise ValueError(
            f"room must not hold the path segments '.' and '..': browsers resolve them; got {room!r}"
        )
    if "\\" in room or any(ord(char) < 0x20 or ord(char) == 0x7F for char in room):
        raise ValueError(f"room must hold no backslash and no control character; got {room!r}")
    try:
        return f"{url.rstrip('/')}/{quote(room, safe=_PATH_SAFE)}"
    except UnicodeEncodeError:
        raise ValueError(f"room must hold no lone surrogate; got {room!r}") from None


def names_room(url: str, room: str) -> bool:
    """Whether the server's address ends with the room's name already."""
    path = urlsplit(url).path.strip("/")
    return f"/{unquote(path)}".endswith(f"/{room.strip('/')}")


def room_url(address: str, params: Mapping[str, str]) -> str:
    """The address with query parameters."""
    return f"{address}?{urlencode(params)}" if params else address


async def resolve(given: Given[T], default: T) -> T:
    """The value itself, or what the function or coroutine function returns for it now."""
    if given is None:
        return default
    if not callable(given):
        return given
    value = given()
    return await value if inspect.isawaitable(value) else value
