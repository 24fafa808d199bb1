"""What JSON cannot say, said in JSON: the Python half of interop/lib/wire.mjs."""

from __future__ import annotations

import base64
import json
import math
from typing import Any

__all__ = ["ABSENT", "from_wire", "parse_line", "to_wire"]


class _Absent:
    """JavaScript's ``undefined``, so that an absent cell and a ``null`` cell differ in a comparison."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT = _Absent()


def to_wire(value: Any) -> Any:
    """Turn a Python value into what the driver reads back as the same JavaScript value."""
    if value is ABSENT:
        return {"$undefined": True}
    if isinstance(value, float):
        if math.isnan(value):
            return {"$number": "NaN"}
        if math.isinf(value):
            return {"$number": "Infinity" if value > 0 else "-Infinity"}
        if value == 0 and math.copysign(1, value) < 0:
            return {"$number": "-0"}
        return value
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 2**53 - 1:
        return {"$bigint": str(value)}
    if isinstance(value, bytes | bytearray | memoryview):
        return {"$bytes": base64.b64encode(value).decode("ascii")}
    if isinstance(value, list | tuple):
        return [to_wire(item) for item in value]
    if isinstance(value, dict):
        return {key: to_wire(item) for key, item in value.items()}
    return value


def _integer(text: str) -> int | float:
    # JavaScript writes large doubles without an exponent: beyond the safe range the digits are a float's.
    number = int(text)
    return number if abs(number) <= 2**53 - 1 else float(text)


def parse_line(line: bytes | bytearray) -> Any:
    """Read one line that the driver wrote; values in it are still tagged."""
    return json.loads(line, parse_int=_integer)


def from_wire(value: Any) -> Any:
    """Turn what the driver answered into Python values; ``undefined`` is ``ABSENT``."""
    if isinstance(value, list):
        return [from_wire(item) for item in value]
    if not isinstance(value, dict):
        return value
    match value:
        case {"$number": str(text)}:
            return float(text)
        case {"$bigint": str(text)}:
            return int(text)
        case {"$bytes": str(text)}:
            return base64.b64decode(text)
        case {"$undefined": True}:
            return ABSENT
    return {key: from_wire(item) for key, item in value.items()}
