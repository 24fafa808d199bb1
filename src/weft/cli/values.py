"""What stands on a command line as one word, read; the errors say what it should have been."""

from __future__ import annotations

import re

from click import BadParameter

__all__ = [
    "broker",
    "count",
    "database",
    "lasting_database",
    "network",
    "origin",
    "part",
    "port",
    "room",
    "seconds",
    "shown_size",
    "size",
]

_SIZES = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
_TIMES = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def size(text: str) -> int:
    """Bytes, with K, M or G behind."""
    number = text.rstrip("KMG")
    if not (number.isascii() and number.isdigit() and int(number) and text[len(number) :] in _SIZES):
        raise BadParameter(f"{text!r} is not a size such as 500000, 64M or 1G")
    return int(number) * _SIZES[text[len(number) :]]


def shown_size(number: int) -> str:
    """As :func:`size` reads it."""
    unit = max((unit for unit, worth in _SIZES.items() if number % worth == 0), key=lambda unit: _SIZES[unit])
    return f"{number // _SIZES[unit]}{unit}"


def seconds(text: str) -> float:
    """Seconds, or with ms, s, m or h behind."""
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|)", text)
    if found is None or not float(found[1]):
        raise BadParameter(f"{text!r} is not a time such as 10, 0.5s, 200ms or 2m")
    return float(found[1]) * _TIMES[found[2]]


def count(text: str) -> int:
    """A number from 1 up."""
    if not (text.isascii() and text.isdigit() and int(text)):
        raise BadParameter(f"{text!r} is not a number from 1 up")
    return int(text)


def part(text: str) -> float:
    """A positive number, such as 0.5."""
    if re.fullmatch(r"[0-9]+(?:\.[0-9]+)?", text) is None or not float(text):
        raise BadParameter(f"{text!r} is not a positive number such as 0.5")
    return float(text)


def network(text: str) -> str:
    """An address, or a network of addresses."""
    from ipaddress import ip_network

    try:
        return str(ip_network(text))
    except ValueError as error:
        raise BadParameter(f"{text!r} is neither an address nor a network: {error}") from error


def port(text: str) -> int:
    """A port number; 0 for a free one."""
    if not (text.isascii() and text.isdigit() and int(text) < 65536):
        raise BadParameter(f"{text!r} is not a port number from 0 to 65535")
    return int(text)


def room(text: str) -> str:
    """The name of a room that a client can enter."""
    from weft.server.names import check_room

    try:
        return check_room(text)
    except ValueError as error:
        raise BadParameter(str(error)) from error


def origin(text: str) -> str:
    """A web origin, or ``*``."""
    from weft.server.origins import check_origin

    try:
        return text if text == "*" else check_origin(text)
    except ValueError as error:
        raise BadParameter(str(error)) from error


def database(text: str) -> str:
    """Where rooms are kept."""
    from weft.server.storage import check_address

    try:
        return check_address(text)
    except ValueError as error:
        raise BadParameter(str(error)) from error


def lasting_database(text: str) -> str:
    """Where rooms are kept for others than the process that serves them."""
    if text == "memory:":
        raise BadParameter("memory: is its server's alone")
    return database(text)


def broker(text: str) -> str:
    """What tells other processes."""
    from weft.server.fanout import check_broker

    try:
        return check_broker(text)
    except ValueError as error:
        raise BadParameter(str(error)) from error
