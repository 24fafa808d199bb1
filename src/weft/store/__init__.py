"""The Store: tables, rows, cells and keyed values that tell listeners what changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft._support.lazy import lazy_exports
from weft.store._core.cursor import Cursor as Cursor
from weft.store._core.decorators import Subscription as Subscription
from weft.store._core.loads import LoadSummary as LoadSummary
from weft.store._core.store import Store as Store
from weft.store._core.text import Text as Text
from weft.store._core.transactions import Transaction as Transaction
from weft.store._core.views import (
    RowView as RowView,
    TablesView as TablesView,
    TableView as TableView,
    ValuesView as ValuesView,
)
from weft.store._parts.listener_tree import ListenerStats as ListenerStats
from weft.store._parts.schema_rules import (
    CellSchema as CellSchema,
    TablesSchema as TablesSchema,
    ValuesSchema as ValuesSchema,
)
from weft.store.checkpoints import Checkpoints as Checkpoints, create_checkpoints as create_checkpoints
from weft.store.middleware import Middleware as Middleware, create_middleware as create_middleware

if TYPE_CHECKING:
    from weft.store._core.undo_manager import (
        StackItem as StackItem,
        UndoEvent as UndoEvent,
        UndoManager as UndoManager,
    )
    from weft.store.converters import (
        from_cell as from_cell,
        from_row as from_row,
        to_cell as to_cell,
        to_row as to_row,
    )
    from weft.store.schematizers import (
        to_tables_schema as to_tables_schema,
        to_values_schema as to_values_schema,
    )
else:
    # On demand, as they need the modules of the types that they convert.
    __getattr__, __dir__, __all__ = lazy_exports(
        __name__,
        {
            "weft.store.converters": "from_cell from_row to_cell to_row",
            "weft.store.schematizers": "to_tables_schema to_values_schema",
            "weft.store._core.undo_manager": "StackItem UndoEvent UndoManager",
        },
        own="CellSchema Checkpoints Cursor ListenerStats LoadSummary Middleware RowView Store Subscription"
        " TableView TablesSchema TablesView Text Transaction ValuesSchema ValuesView create_checkpoints"
        " create_middleware",
    )
