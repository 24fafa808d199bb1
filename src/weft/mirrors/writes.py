"""What a mirror writes into its document."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from weft.errors import MirrorError
from weft.values import Stored, Undefined

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from weft.deltas import Delta
    from weft.store.replica import TextKey

__all__ = ["DocumentWrite", "Tables", "Values", "another_application", "is_equal"]

Values = dict[str, Stored | Undefined]
Tables = dict[str, dict[str, Values]]


@dataclass(frozen=True, slots=True)
class DocumentWrite:
    """Changes to write into a document.

    Attributes:
        tables: Cells to set, or to delete where ``UNDEFINED``.
        values: Values likewise.
        removed_tables: Tables that were removed as containers, whose cells are in ``tables`` too. The
            document's container goes, with whatever a peer put in it: delete wins.
        removed_rows: Rows likewise.
        texts: How shared texts are to be edited that were there. Those of which formats alone change are not
            in ``tables``.
        late: Texts that the document has edited as well, of which the Store has yet to be told.
    """

    tables: Tables
    values: Values
    removed_tables: set[str]
    removed_rows: set[tuple[str, str]]
    texts: Mapping[TextKey, Delta] = field(default_factory=dict)
    late: Collection[TextKey] = ()


def is_equal(raw: object, cell: object) -> bool:
    """Whether the document's raw value is this cell: it has one kind of number, Python two and ``bool``."""
    if isinstance(raw, bool) or isinstance(cell, bool):
        return raw is cell
    return raw == cell


def another_application(name: str, keys: Collection[str]) -> MirrorError:
    """Say that a root holds entries of which none is a Store's."""
    shown = ", ".join(repr(key)[:50] for key in sorted(keys)[:3]) + (", …" if len(keys) > 3 else "")
    return MirrorError(
        f"the document's root {name!r} holds {shown} and nothing of a Store: it is another application's. "
        "Mirror into a root of another name"
    )
