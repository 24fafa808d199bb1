"""Edits of a Store, drawn from few ids so that they meet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Iterable

    from weft.store import Store

__all__ = ["apply_edits", "edits"]

_IDS = st.sampled_from("abc")
_CELLS = st.integers(0, 3)


def edits(tables: str = "abc", max_size: int = 10) -> st.SearchStrategy[list[Any]]:
    """Lists of edits; a table's id is one of the letters."""
    table_ids = st.sampled_from(tables)
    edit = st.one_of(
        st.tuples(st.just("set_cell"), table_ids, _IDS, _IDS, _CELLS),
        st.tuples(st.just("del_cell"), table_ids, _IDS, _IDS),
        st.tuples(st.just("set_row"), table_ids, _IDS, st.dictionaries(_IDS, _CELLS, min_size=1)),
        st.tuples(st.just("del_row"), table_ids, _IDS),
        st.tuples(st.just("del_table"), table_ids),
        st.tuples(st.just("set_value"), _IDS, _CELLS),
        st.tuples(st.just("del_value"), _IDS),
    )
    return st.lists(edit, max_size=max_size)


def apply_edits(store: Store, edits: Iterable[Any]) -> Store:
    """Make edits, in one transaction."""
    with store.transaction():
        for name, *arguments in edits:
            getattr(store, name)(*arguments)
    return store
