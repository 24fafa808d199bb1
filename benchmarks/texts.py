"""Shared texts: letters typed one by one, beside the raw libraries below with the same transactions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks._texts_automerge import automerge_lines

if TYPE_CHECKING:
    from benchmarks._table import Line

__all__ = ["lines"]


def lines() -> list[Line]:
    return automerge_lines()
