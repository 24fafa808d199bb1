"""``weft watch``: tables as they change."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from weft.cli.command import command, verbose
from weft.cli.differences import Difference, cells_in
from weft.cli.output import say
from weft.cli.paths import StorePath
from weft.cli.places import Access, access, address, as_json, look_for_layout, opened, run
from weft.values import UNDEFINED

if TYPE_CHECKING:
    from rich.console import Group

    from weft import Store

__all__ = ["watch"]

_PAUSE_S = 0.1  # between two pictures of a terminal
_MARGIN = 6  # lines of a table beside its rows


@command()
@address()
@click.argument("table", required=False, metavar="[TABLE]")
@click.option("--once", is_flag=True, help="show what is there, and end")
@click.option(
    "--layout",
    is_flag=True,
    help="look for tables in a document of another application",
)
@access
@as_json
@verbose
def watch(
    address: str,
    table: str | None,
    access: Access,
    *,
    once: bool,
    layout: bool,
    as_json: bool,
) -> None:
    """Show tables as they change, until Ctrl-C.

    In a terminal they stand there as they are; in a pipe there is a line for each cell that changes.
    """
    run(_watch(address, table, access, once=once, layout=layout, as_json=as_json))


async def _watch(
    address: str, table: str | None, access: Access, *, once: bool, layout: bool, as_json: bool
) -> None:
    found = await look_for_layout(address, access) if layout else None
    async with opened(address, access, make=False, layout=found) as store:
        if sys.stdout.isatty() and not as_json:
            await _picture(store, table, once=once)
        else:
            await _lines(store, table, once=once, as_json=as_json)


async def _picture(store: Store, table: str | None, *, once: bool) -> None:
    import asyncio

    from rich.console import Console
    from rich.live import Live

    console = Console()
    if once:
        console.print(_tables(store, table, None))
        return
    changed = asyncio.Event()
    store.add_did_finish_transaction_listener(lambda *_: changed.set())
    with Live(console=console, auto_refresh=False, screen=True) as live:
        while True:
            changed.clear()
            live.update(_tables(store, table, console.height), refresh=True)
            await changed.wait()
            await asyncio.sleep(_PAUSE_S)


def _tables(store: Store, only: str | None, height: int | None) -> Group:
    """Draw tables, as many rows of each as there is room for."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    names = store.get_table_ids() if only is None else [only]
    room = None if height is None else max(1, height // max(1, len(names)) - _MARGIN)
    drawn: list[Any] = []
    for name in names:
        rows = store.get_row_ids(name)
        columns = store.get_table_cell_ids(name)
        picture = Table("id", title=Text(f"{name}, {len(rows)} rows"), title_justify="left")
        for column in columns:
            picture.add_column(Text(column))
        for row in rows[:room]:
            cells = store.get_row(name, row)
            picture.add_row(Text(row), *(Text(_text(cells.get(column, UNDEFINED))) for column in columns))
        drawn.append(picture)
        if room is not None and len(rows) > room:
            drawn.append(Text(f"… and {len(rows) - room} more"))
    if only is None and store.has_values():
        picture = Table("value", "", title="values", title_justify="left")
        for value, content in store.get_values().items():
            picture.add_row(Text(value), Text(_text(content)))
        drawn.append(picture)
    return Group(*drawn or [Text("nothing is here yet")])


def _text(content: Any) -> str:
    if content is UNDEFINED:
        return ""
    return content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)


async def _lines(store: Store, table: str | None, *, once: bool, as_json: bool) -> None:
    """Print a line for each cell there is, then for each that changes."""
    import asyncio

    ended = asyncio.Event()

    def tell(path: StorePath, old: Any, new: Any) -> None:
        if not say(_line(Difference(path, old, new), as_json=as_json)):
            ended.set()  # nobody reads any more

    tables, values = store.get_content()
    if table is not None:
        tables, values = {table: tables.get(table, {})}, {}
    for path, content in cells_in((tables, values)):
        tell(path, UNDEFINED, content)
    if once:
        return

    def tell_cell(_store: object, table: str, row: str, cell: str, new: Any, old: Any, *_: object) -> None:
        tell(StorePath(is_value=False, ids=(table, row, cell)), old, new)

    def tell_value(_store: object, value: str, new: Any, old: Any, *_: object) -> None:
        tell(StorePath(is_value=True, ids=(value,)), old, new)

    store.add_cell_listener(table, None, None, tell_cell)
    if table is None:
        store.add_value_listener(None, tell_value)
    await ended.wait()


def _line(change: Difference, *, as_json: bool) -> str:
    if as_json:
        return change.to_json()
    if change.new is UNDEFINED:
        return f"{change.path} deleted"
    return f"{change.path}: {json.dumps(change.new, ensure_ascii=False)}"
