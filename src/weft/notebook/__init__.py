"""Tables in notebooks: a widget that shows a table as it changes, and lets it be edited."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft._support.lazy import lazy_exports

if TYPE_CHECKING:
    from weft.notebook.widget import LiveTable as LiveTable, live as live
else:
    __getattr__, __dir__, __all__ = lazy_exports(
        __name__, {"weft.notebook.widget": "LiveTable live"}, extra="notebook"
    )
