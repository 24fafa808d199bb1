"""Listening with decorators: ``@store.on_cell("pets", None, "species")``."""

from __future__ import annotations

from functools import update_wrapper
from typing import TYPE_CHECKING, Generic, ParamSpec, Protocol, TypeVar

from weft.store._core.schemas import Schemas

if TYPE_CHECKING:
    from collections.abc import Callable

    from weft.store._core.listeners import Listeners

__all__ = ["ListenerDecorators", "Subscription"]

P = ParamSpec("P")
R = TypeVar("R")


class Subscription(Generic[P, R]):
    """A function that listens to a Store; it can be called as before.

    Attributes:
        listener_id: The id for ``call_listener`` and ``del_listener``.
    """

    def __init__(self, store: Listeners, listener_id: str, listener: Callable[P, R]) -> None:
        self._store = store
        self._listener = listener
        self.listener_id = listener_id
        self._listening = True
        update_wrapper(self, listener)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return self._listener(*args, **kwargs)

    def unsubscribe(self) -> None:
        """Stop listening. Doing so twice does nothing: the id may be another listener's by then."""
        if self._listening:
            self._listening = False
            self._store.del_listener(self.listener_id)


class Decorator(Protocol):
    """What makes a listener of a function."""

    def __call__(self, listener: Callable[P, R], /) -> Subscription[P, R]:
        """Add the listener."""
        ...  # pragma: no cover


class ListenerDecorators(Schemas):
    """Decorators for the listeners of a Store, one for each ``add_…_listener``.

    Ids left out, or ``None``, mean any. What a decorator makes of a function is a :class:`Subscription`.
    """

    __slots__ = ()

    def _on(self, kind: str, path: tuple[str | None, ...], mutator: bool) -> Decorator:
        def subscribe(listener: Callable[P, R], /) -> Subscription[P, R]:
            return Subscription(self, self._add(kind, path, listener, mutator), listener)

        return subscribe

    def on_has_tables(self, *, mutator: bool = False) -> Decorator:
        """Listen as :meth:`add_has_tables_listener` does."""
        return self._on("has_tables", (), mutator)

    def on_tables(self, *, mutator: bool = False) -> Decorator:
        """Listen as :meth:`add_tables_listener` does."""
        return self._on("tables", (), mutator)

    def on_table_ids(self, *, mutator: bool = False) -> Decorator:
        """Listen as :meth:`add_table_ids_listener` does."""
        return self._on("table_ids", (), mutator)

    def on_has_table(self, table_id: str | None = None, *, mutator: bool = False) -> Decorator:
        """Listen as :meth:`add_has_table_listener` does."""
        return self._on("has_table", (table_id,), mutator)

    def on_table(self, table_id: str | None = None, *, mutator: bool = False) -> Decorator:
        """Listen as :meth:`add_table_listener` does."""
        return self._on("table", (table_id,), mutator)

    def on_table_cell_ids(self, table_id: str | None = None, *, mutator: bool = False) -> Decorator:
        """Listen as :meth:`add_table_cell_ids_listener` does."""
        return self._on("table_cell_ids", (table_id,), mutator)

    def on_has_table_cell(
        self, table_id: str | None = None, cell_id: str | None = None, *, mutator: bool = False
    ) -> Decorator:
        """Listen as :meth:`add_has_table_cell_listener` does."""
        return self._on("has_table_cell", (table_id, cell_id), mutator)

    def on_row_count(self, table_id: str | None = None, *, mutator: bool = False) -> Decorator:
        """Listen as :meth:`add_row_count_listener` does."""
        return self._on("row_count", (table_id,), mutator)

    def on_row_ids(self, table_id: str | None = None, *, mutator: bool = False) -> Decorator:
        """Listen as :meth:`add_row_ids_listener` does."""
        return self._on("row_ids", (table_id,), mutator)

    def on_has_row(
        self, table_id: str | None = None, row_id: str | None = None, *, mutator: bool = False
    ) -> Decorator:
        """Listen as :meth:`add_has_row_listener` does."""
        return self._on("has_row", (table_id, row_id), mutator)

    def on_row(
        self, table_id: str | None = None, row_id: str | None = None, *, mutator: bool = False
    ) -> Decorator:
        """Listen as :meth:`add_row_listener` does."""
        return self._on("row", (table_id, row_id), mutator)

    def on_cell_ids(
        self, table_id: str | None = None, row_id: str | None = None, *, mutator: bool = False
    ) -> Decorator:
        """Listen as :meth:`add_cell_ids_listener` does."""
        return self._on("cell_ids", (table_id, row_id), mutator)

    def on_has_cell(
        self,
        table_id: str | None = None,
        row_id: str | None = None,
        cell_id: str | None = None,
        *,
        mutator: bool = False,
    ) -> Decorator:
        """Listen as :meth:`add_has_cell_listener` does."""
        return self._on("has_cell", (table_id, row_id, cell_id), mutator)

    def on_cell(
        self,
        table_id: str | None = None,
        row_id: str | None = None,
        cell_id: str | None = None,
        *,
        mutator: bool = False,
    ) -> Decorator:
        """Listen as :meth:`add_cell_listener` does."""
        return self._on("cell", (table_id, row_id, cell_id), mutator)

    def on_invalid_cell(
        self,
        table_id: str | None = None,
        row_id: str | None = None,
        cell_id: str | None = None,
        *,
        mutator: bool = False,
    ) -> Decorator:
        """Listen as :meth:`add_invalid_cell_listener` does."""
        return self._on("invalid_cell", (table_id, row_id, cell_id), mutator)

    def on_has_values(self, *, mutator: bool = False) -> Decorator:
        """Listen as :meth:`add_has_values_listener` does."""
        return self._on("has_values", (), mutator)

    def on_values(self, *, mutator: bool = False) -> Decorator:
        """Listen as :meth:`add_values_listener` does."""
        return self._on("values", (), mutator)

    def on_value_ids(self, *, mutator: bool = False) -> Decorator:
        """Listen as :meth:`add_value_ids_listener` does."""
        return self._on("value_ids", (), mutator)

    def on_has_value(self, value_id: str | None = None, *, mutator: bool = False) -> Decorator:
        """Listen as :meth:`add_has_value_listener` does."""
        return self._on("has_value", (value_id,), mutator)

    def on_value(self, value_id: str | None = None, *, mutator: bool = False) -> Decorator:
        """Listen as :meth:`add_value_listener` does."""
        return self._on("value", (value_id,), mutator)

    def on_invalid_value(self, value_id: str | None = None, *, mutator: bool = False) -> Decorator:
        """Listen as :meth:`add_invalid_value_listener` does."""
        return self._on("invalid_value", (value_id,), mutator)

    def on_start_transaction(self, listener: Callable[P, R]) -> Subscription[P, R]:
        """Listen as :meth:`add_start_transaction_listener` does; used without parentheses."""
        return Subscription(self, self._add_phase(self._start_listeners, listener), listener)

    def on_will_finish_transaction(self, listener: Callable[P, R]) -> Subscription[P, R]:
        """Listen as :meth:`add_will_finish_transaction_listener` does; used without parentheses."""
        return Subscription(self, self._add_phase(self._will_finish_listeners, listener), listener)

    def on_did_finish_transaction(self, listener: Callable[P, R]) -> Subscription[P, R]:
        """Listen as :meth:`add_did_finish_transaction_listener` does; used without parentheses."""
        return Subscription(self, self._add_phase(self._did_finish_listeners, listener), listener)
