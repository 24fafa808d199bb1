"""Loading and saving tables as plans, statements out and rows in; the two persisters of any database."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft._support.lazy import lazy_exports

if TYPE_CHECKING:
    from weft.persisters.sql.config import (
        TableLoad as TableLoad,
        TableSave as TableSave,
        TablesConfig as TablesConfig,
        ValuesTable as ValuesTable,
    )
    from weft.persisters.sql.json_cell import JsonCell as JsonCell
else:
    __getattr__, __dir__, __all__ = lazy_exports(
        __name__,
        {
            "config": "TableLoad TableSave TablesConfig ValuesTable",
            "json_cell": "JsonCell",
        },
    )
