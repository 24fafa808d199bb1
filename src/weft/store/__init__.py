"""The Store: tables, rows, cells and keyed values that tell listeners what changes."""

from __future__ import annotations

from weft.store._core.decorators import Subscription
from weft.store._core.store import Store
from weft.store._core.transactions import Transaction
from weft.store._core.views import RowView, TablesView, TableView, ValuesView
from weft.store._parts.listener_tree import ListenerStats
from weft.store._parts.schema_rules import CellSchema, TablesSchema, ValuesSchema
from weft.store.checkpoints import Checkpoints, create_checkpoints
from weft.store.middleware import Middleware, create_middleware
from weft.store.schematizers import to_tables_schema, to_values_schema

__all__ = [
    "CellSchema",
    "Checkpoints",
    "ListenerStats",
    "Middleware",
    "RowView",
    "Store",
    "Subscription",
    "TableView",
    "TablesSchema",
    "TablesView",
    "Transaction",
    "ValuesSchema",
    "ValuesView",
    "create_checkpoints",
    "create_middleware",
    "to_tables_schema",
    "to_values_schema",
]
