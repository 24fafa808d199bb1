"""Deltas: what changed in a text, and the arithmetic of it, in the form that Quill and Yjs have.

A delta is a list of operations, from the beginning of the text on::

    [{"retain": 5}, {"insert": "new", "attributes": {"bold": True}}, {"delete": 3}]

``insert`` takes a string or an embed (a JSON object that stands in the text as one character), ``delete``
and ``retain`` a length; ``attributes`` are formats, of which ``None`` takes one away. What is left out at the
end stays. A text with its formats is a delta of ``insert`` alone.

Offsets and lengths are UTF-16 code units, as JavaScript counts: an emoji is two or more.
The arithmetic is quill-delta's (5.1): ``compose``, ``invert`` and ``transform`` give what they give there.
"""

from __future__ import annotations

from weft.deltas.arithmetic import compose, invert, transform, transform_offset
from weft.deltas.form import EMBED, Attributes, Delta, DeltaInput, check, check_attributes
from weft.deltas.offsets import from_utf16, to_utf16, utf16_length
from weft.deltas.reading import attributes_before, check_cuts, is_styled, text_of
from weft.deltas.strings import apply, from_cell, smallest_edit, to_cell

__all__ = [
    "EMBED",
    "Attributes",
    "Delta",
    "DeltaInput",
    "apply",
    "attributes_before",
    "check",
    "check_attributes",
    "check_cuts",
    "compose",
    "from_cell",
    "from_utf16",
    "invert",
    "is_styled",
    "smallest_edit",
    "text_of",
    "to_cell",
    "to_utf16",
    "transform",
    "transform_offset",
    "utf16_length",
]
