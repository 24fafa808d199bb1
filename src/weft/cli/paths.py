"""Where something is in a Store, as one word: ``pets/fido/price``, ``@open`` for a keyed value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote, unquote

import click

from weft.values import UNDEFINED

if TYPE_CHECKING:
    from weft import Store

__all__ = ["StorePath", "shown"]


class StorePath(NamedTuple):
    """A place in a Store.

    Attributes:
        is_value: Whether it is of the keyed values, and not of the tables.
        ids: Of table, row and cell, or of the value; fewer for what has them.
    """

    is_value: bool
    ids: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> StorePath:
        """Read it; ``%2F`` is a slash in an id.

        Raises:
            click.BadParameter: It is none.
        """
        is_value = text.startswith("@")
        ids = (
            tuple(unquote(part) for part in text.removeprefix("@").strip("/").split("/"))
            if text.strip("@/")
            else ()
        )
        if len(ids) > (1 if is_value else 3):
            raise click.BadParameter(
                f"{text!r} is too deep: TABLE/ROW/CELL or @VALUE; a slash in an id is written %2F"
            )
        return cls(is_value, ids)

    def get(self, store: Store) -> Any:
        """What is there, as JSON has it; ``UNDEFINED`` if nothing is."""
        here: Any = store.get_values() if self.is_value else store.get_tables()
        for each in self.ids:
            if each not in here:
                return UNDEFINED
            here = here[each]
        return here

    def set(self, store: Store, content: Any) -> None:
        """Put something there.

        Raises:
            click.BadParameter: It cannot be there.
            ValueError, TypeError: The Store refuses it.
        """
        depth = len(self.ids) + (2 if self.is_value else 0)
        if depth != 3 and not isinstance(content, dict):
            raise click.BadParameter(f"{self} takes a JSON object: {_TAKES[depth]}")
        match depth, self.ids:
            case 0, _:
                store.set_tables(content)
            case 1, (table,):
                store.set_table(table, content)
            case 2, (table, row):
                store.set_row(table, row, content)
            case 2, ():
                store.set_values(content)
            case _, (value,):
                store.set_value(value, content)
            case _, (table, row, cell):
                store.set_cell(table, row, cell, content)

    def delete(self, store: Store) -> None:
        """Delete what is there."""
        match self.is_value, self.ids:
            case True, ():
                store.del_values()
            case True, (value,):
                store.del_value(value)
            case _, ():
                store.del_tables()
            case _, (table,):
                store.del_table(table)
            case _, (table, row):
                store.del_row(table, row)
            case _, (table, row, cell):
                store.del_cell(table, row, cell, True)

    def __str__(self) -> str:
        return shown(*self.ids, is_value=self.is_value) or "/"


_TAKES = {0: "tables of rows of cells", 1: "rows of cells", 2: "cells, or values"}


def shown(*ids: str, is_value: bool = False) -> str:
    """Ids as :meth:`StorePath.parse` reads them."""
    return ("@" if is_value else "") + "/".join(quote(each, safe=" @:,;+=~!$&'()*") for each in ids)
