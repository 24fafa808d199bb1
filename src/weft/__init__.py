"""weft: a reactive, tabular Store whose content lives in a CRDT document."""

from __future__ import annotations
