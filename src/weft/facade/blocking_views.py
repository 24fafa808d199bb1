"""A Store as dictionaries, for any thread: each call runs in the owner thread, and iterates over a copy."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar, cast

from weft.store import Cursor, RowView, TablesView, TableView, Text, ValuesView

if TYPE_CHECKING:
    from collections.abc import Callable, ItemsView as Items, Iterator, Mapping, ValuesView as Entries

__all__ = ["BlockingRow", "BlockingTable", "BlockingTables", "BlockingText", "BlockingValues"]

R = TypeVar("R")
V = TypeVar("V", bound=type[Any])


def _there(method: Callable[..., R]) -> Callable[..., R]:
    """The method of a view, run where the Store's own would be."""

    @wraps(method)
    def call(self: Any, *args: Any, **kwargs: Any) -> R:
        result: R = self._store.sync.call(method, self, *args, **kwargs)
        return result

    return call


def _blocking(view: V) -> V:
    """Have everything that a view defines, and does not inherit from ``Mapping``, run there."""
    for base in view.__mro__:
        if not base.__module__.startswith("weft."):
            continue
        for name, method in vars(base).items():
            is_own = not name.startswith("_") or name.startswith("__") or name == "_repr_html_"
            if is_own and name not in _LEFT and callable(method) and name not in vars(view):
                setattr(view, name, _there(method))
    return view


# What the class itself needs, what calls others that are handed over, and what takes long, or runs user code,
# between them.
_LEFT = {
    "__class_getitem__", "__init__", "__init_subclass__", "__ior__", "__new__", "__or__", "__ror__",
    "__subclasshook__", "load", "to_arrow", "to_pandas", "to_polars", "update",
}  # fmt: skip


class _Snapshots:
    """Iteration over copies, as other threads change what is iterated over."""

    __slots__ = ()

    _store: Any

    def __iter__(self) -> Iterator[str]:
        keys: list[str] = self._store.sync.call(lambda: list(self._content()))
        return iter(keys)

    def __reversed__(self) -> Iterator[str]:
        return reversed(list(self))

    def _entries(self) -> dict[str, Any]:
        entries: dict[str, Any] = self._store.sync.call(lambda: {key: self[key] for key in self._content()})
        return entries

    def values(self) -> Entries[Any]:
        """The entries, as they are now."""
        return self._entries().values()

    def items(self) -> Items[str, Any]:
        """The keys and entries, as they are now."""
        return self._entries().items()

    if TYPE_CHECKING:

        def _content(self) -> dict[str, Any]: ...
        def __getitem__(self, key: str) -> Any: ...


@_blocking
class BlockingRow(_Snapshots, RowView):
    """The cells of a row."""

    __slots__ = ()


@_blocking
class BlockingTable(_Snapshots, TableView):
    """The rows of a table, each as a live view."""

    __slots__ = ()

    def __getitem__(self, row_id: str) -> BlockingRow:
        if row_id not in self:
            raise KeyError(row_id)
        return BlockingRow(self._store, self.table_id, row_id)

    def setdefault(self, row_id: str, default: Mapping[str, object] = {}) -> BlockingRow:
        """Give the row, set to ``default`` where it is missing; an empty default leaves it missing."""
        self._store.sync.call(super().setdefault, row_id, default)
        return BlockingRow(self._store, self.table_id, row_id)


@_blocking
class BlockingTables(_Snapshots, TablesView):
    """The tables of a Store, each as a live view."""

    __slots__ = ()

    def __getitem__(self, table_id: str) -> BlockingTable:
        if table_id not in self:
            raise KeyError(table_id)
        return BlockingTable(self._store, table_id)

    def setdefault(self, table_id: str, default: Mapping[str, Mapping[str, object]] = {}) -> BlockingTable:
        """Give the table, set to ``default`` where it is missing; an empty default leaves it missing."""
        self._store.sync.call(super().setdefault, table_id, default)
        return BlockingTable(self._store, table_id)


@_blocking
class BlockingValues(_Snapshots, ValuesView):
    """The keyed values of a Store."""

    __slots__ = ()


@_blocking
class BlockingCursor(Cursor):
    """A place in a shared text."""

    __slots__ = ()

    @property
    def offset(self) -> int:
        """Where it is now, in UTF-16 code units."""
        where: int = cast("Any", self._store).sync.call(lambda: super(BlockingCursor, self).offset)
        return where


@_blocking
class BlockingText(Text):
    """A shared text."""

    __slots__ = ()

    _cursor_type = BlockingCursor
