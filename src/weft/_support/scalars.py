"""Numbers and truth values of other libraries, such as NumPy's, as Python's own; without importing any."""

from __future__ import annotations

from enum import Enum
from numbers import Integral, Rational, Real
from operator import index

__all__ = ["hint_for", "plain_scalar"]

_AS_TEXT = {"UUID", "Decimal", "datetime64"}


def plain_scalar(value: object) -> bool | int | float | None:
    """Give a number or truth value of another library as Python's own; ``None`` where it is neither.

    What is exact and would not be (``Decimal``, ``Fraction``) is no number here.
    """
    kind = type(value)
    if kind.__module__ == "numpy" and kind.__name__ in {"bool", "bool_"}:
        return bool(value)
    if isinstance(value, Integral):
        try:
            return index(value)
        except TypeError:  # NumPy counts its time spans among the integers
            return None
    if isinstance(value, Real) and not isinstance(value, Rational):
        return float(value)
    return None


def hint_for(value: object) -> str:
    """Say what to do about something that cannot be a cell, to be put after a sentence; often nothing."""
    kind = type(value)
    if hasattr(kind, "isoformat") or isinstance(value, Enum) or kind.__name__ in _AS_TEXT:
        return "; weft.store.to_cell(value) makes one of it, and Store(encode=to_cell) does so by itself"
    if hasattr(kind, "tolist"):
        return "; value.tolist() may be one"
    if kind.__name__ == "NAType":
        return "; None stands for what is missing"
    return ""
