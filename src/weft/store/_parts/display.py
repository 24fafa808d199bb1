"""How a Store and its views show themselves: as short text, and as tables in a notebook.

Whatever is in it, a ``repr`` has some thousand characters at most, and the HTML of a table some hundred rows.
"""

from __future__ import annotations

from html import escape
from itertools import islice
from typing import TYPE_CHECKING, Final

from weft.values import JSON_PREFIX, decode_cell

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from weft.changes import StoredTables, StoredValues
    from weft.values import Stored

__all__ = [
    "count",
    "html_cells",
    "html_table",
    "html_tables",
    "html_values",
    "short",
    "short_entries",
    "short_row",
]

_TEXT: Final = 80  # characters of an id or a cell in a repr
_ENTRIES: Final = 5  # entries of a mapping in a repr
_HTML_TEXT: Final = 500  # characters of an id or a cell in HTML
_HTML_ROWS: Final = 20
_HTML_COLUMNS: Final = 50
_HTML_TABLES: Final = 20


def count(number: int, noun: str) -> str:
    """Say how many: ``"1 row"``, ``"1,234 rows"``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def short(value: object) -> str:
    """Show an id or a stored cell as Python would, cut off where it is long."""
    text = repr(decode_cell(value))
    return text if len(text) <= _TEXT else f"{text[:_TEXT]}…"


def short_entries(shown: Iterable[str], size: int) -> str:
    """Show the first entries of a mapping, and how many more there are."""
    parts = list(islice(shown, _ENTRIES))
    if size > len(parts):
        parts.append(f"… {size - len(parts):,} more")
    return f"{{{', '.join(parts)}}}"


def short_row(row: Mapping[str, Stored]) -> str:
    """Show the first cells of a row, or values."""
    return short_entries((f"{short(id_)}: {short(cell)}" for id_, cell in row.items()), len(row))


def _html(value: object) -> str:
    # An encoded cell shows its JSON text, without the mark.
    text = str(value).removeprefix(JSON_PREFIX)
    return escape(text if len(text) <= _HTML_TEXT else f"{text[:_HTML_TEXT]}…")


def _html_row(id_: str, cells: Iterable[object]) -> str:
    shown = "".join(f"<td>{_html(cell)}</td>" for cell in cells)
    return f"<tr><th>{_html(id_)}</th>{shown}</tr>"


def _html_more(size: int, shown: int, noun: str) -> str:
    return f"<p>… {count(size - shown, f'more {noun}')}</p>" if size > shown else ""


def html_table(table_id: str, table: Mapping[str, Mapping[str, Stored]], cell_ids: Iterable[str]) -> str:
    """Show a table: its first rows, a column for each of the first cell ids."""
    columns = list(cell_ids)
    chosen = columns[:_HTML_COLUMNS]
    head = "".join(f"<th>{_html(cell_id)}</th>" for cell_id in chosen)
    rows = "".join(
        _html_row(row_id, (row.get(cell_id, "") for cell_id in chosen))
        for row_id, row in islice(table.items(), _HTML_ROWS)
    )
    return (
        f"<h4>{_html(table_id)} ({count(len(table), 'row')})</h4>"
        f"<table><thead><tr><th></th>{head}</tr></thead><tbody>{rows}</tbody></table>"
        f"{_html_more(len(table), _HTML_ROWS, 'row')}{_html_more(len(columns), _HTML_COLUMNS, 'column')}"
    )


def html_tables(tables: StoredTables, counts: Mapping[str, Iterable[str]]) -> str:
    """Show the first tables, each as :func:`html_table` does."""
    shown = (html_table(id_, table, counts[id_]) for id_, table in islice(tables.items(), _HTML_TABLES))
    return "".join(shown) + _html_more(len(tables), _HTML_TABLES, "table")


def html_cells(title: str, cells: Mapping[str, Stored]) -> str:
    """Show the first cells of a row, one below the other."""
    rows = "".join(_html_row(id_, [cell]) for id_, cell in islice(cells.items(), _HTML_COLUMNS))
    more = _html_more(len(cells), _HTML_COLUMNS, "cell")
    return f"<h4>{_html(title)}</h4><table><tbody>{rows}</tbody></table>{more}"


def html_values(values: StoredValues) -> str:
    """Show the first values likewise; nothing where there are none."""
    return html_cells("values", values) if values else ""
