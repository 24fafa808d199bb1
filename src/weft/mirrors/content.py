"""What mirrors of every kind of document are handed: the Store's content, and somebody to report to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from weft.values import Stored

__all__ = ["Report", "StoreContent"]

Report: TypeAlias = Callable[[Exception], None]

StoreContent: TypeAlias = Callable[
    [], tuple[Mapping[str, Mapping[str, Mapping[str, Stored]]], Mapping[str, Stored]]
]
"""Gives the tables and values that the Store holds now, for reading only."""
