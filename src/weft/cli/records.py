"""``weft import`` and ``export``: tables from files, and files from tables."""

from __future__ import annotations

import csv
import json
import re
import sys
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from weft.cli.command import FailedError, command, verbose
from weft.cli.output import say
from weft.cli.places import Access, access, address, opened, run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from weft import Store

__all__ = ["export", "import_"]

_SUFFIXES = {".csv": "csv", ".tsv": "tsv", ".json": "json", ".parquet": "parquet"} | dict.fromkeys(
    (".nl", ".ndjson", ".jsonl"), "nl"
)
_WORDS = {
    "csv": "comma-separated values, the first line names the columns",
    "tsv": "tab-separated values, likewise",
    "nl": "a JSON object on each line",
    "json": "a JSON list of objects",
    "parquet": "Apache Parquet (pip install pyarrow)",
}
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,14})")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")


def _formats(function: Callable[..., Any]) -> Callable[..., Any]:
    for name, meaning in reversed(_WORDS.items()):
        function = click.option(f"--{name}", "kind", flag_value=name, help=meaning)(function)
    return function


def _kind(given: str | None, file: str, otherwise: str | None) -> str:
    kind = given or _SUFFIXES.get(Path(file).suffix.lower()) or otherwise
    if kind is None:
        raise click.UsageError(f"what is {file!r}? Say --csv, --tsv, --nl, --json or --parquet")
    return kind


@command("import")
@address()
@click.argument("table", metavar="TABLE")
@click.argument("file", metavar="FILE")
@click.option("--id", "column", metavar="COLUMN", help="column of the row ids (default: new ids)")
@click.option(
    "--existing",
    type=click.Choice(["merge", "replace", "ignore", "error"]),
    default="merge",
    show_default=True,
    help="what becomes of a row that is there",
)
@click.option("--text", is_flag=True, help="leave what is in CSV and TSV as text, also numbers")
@_formats
@access
@verbose
def import_(
    address: str,
    table: str,
    file: str,
    column: str | None,
    existing: str,
    kind: str | None,
    access: Access,
    *,
    text: bool,
) -> None:
    """Load a file into a table; '-' is the standard input.

    What it is the end of its name tells, or an option. All of it is loaded, or nothing.
    """
    kind = _kind(kind, file, None)
    with _reading(file, kind) as source:
        records = _records(source, kind, text=text)
    run(_load(address, table, records, column, existing, access))


async def _load(
    address: str,
    table: str,
    records: Any,
    column: str | None,
    existing: Any,
    access: Access,
) -> None:
    async with opened(address, access) as store:
        try:
            summary = store.table(table).load(records, id=column, convert=True, existing=existing)
        except (ValueError, TypeError) as error:
            raise FailedError(click.get_current_context(), error) from error
    say(f"{summary.added} rows added, {summary.changed} changed, {summary.unchanged} unchanged.")


@contextmanager
def _reading(file: str, kind: str) -> Iterator[IO[Any]]:
    if file == "-":
        yield sys.stdin.buffer if kind == "parquet" else TextIOWrapper(sys.stdin.buffer, "utf-8-sig")
    elif kind == "parquet":
        with Path(file).open("rb") as source:
            yield source
    else:
        with Path(file).open(encoding="utf-8-sig", newline="") as lines:
            yield lines


def _records(source: IO[Any], kind: str, *, text: bool) -> Any:
    try:
        match kind:
            case "csv" | "tsv":
                rows = list(
                    csv.DictReader(source, dialect="excel" if kind == "csv" else "excel-tab", strict=True)
                )
                return _typed(rows, text=text)
            case "nl":
                return [json.loads(line) for line in source if line.strip()]
            case "json":
                found = json.load(source)
                if isinstance(found, list):
                    return found
                raise ValueError("it is no JSON list of objects")
            case _:
                from pyarrow import BufferReader, parquet

                return parquet.read_table(BufferReader(source.read()))
    except (ValueError, csv.Error) as error:
        raise FailedError(click.get_current_context(), f"{source.name}: {error}") from error


def _typed(rows: list[dict[str | Any, Any]], *, text: bool) -> Iterable[Mapping[str, Any]]:
    """Leave out what is empty, and make numbers of the columns that have nothing else."""
    names = list(rows[0]) if rows else []
    for number, row in enumerate(rows, 2):
        if None in row or None in row.values():
            raise ValueError(f"record {number} has not as many columns as the first line")
    readers = {name: str if text else _reader(row[name] for row in rows) for name in names}
    return [{name: readers[name](cell) for name, cell in row.items() if cell != ""} for row in rows]


def _reader(cells: Iterable[str]) -> Callable[[str], Any]:
    """What a column is read by: digits with a zero before them are no number, they are a code."""
    given = [cell for cell in cells if cell]
    if given and all(map(_INTEGER.fullmatch, given)):
        return int
    return float if given and all(map(_NUMBER.fullmatch, given)) else str


@command()
@address()
@click.argument("table", metavar="TABLE")
@click.argument("file", metavar="[FILE]", default="-")
@click.option(
    "--id", "column", metavar="COLUMN", default="id", show_default=True, help="column of the row ids"
)
@_formats
@click.option("-t", "--table", "kind", flag_value="table", help="a table to look at")
@access
@verbose
def export(address: str, table: str, file: str, column: str, kind: str | None, access: Access) -> None:
    """Write a table to a file, or to the standard output (JSON, if nothing else is said)."""
    kind = _kind(kind, file, "json" if file == "-" else None)
    run(_export(address, table, file, column, kind, access))


async def _export(address: str, table: str, file: str, column: str, kind: str, access: Access) -> None:
    async with opened(address, access, make=False) as store:
        if not store.has_table(table):
            raise FailedError(click.get_current_context(), f"there is no table {table!r}")
        try:
            if kind == "parquet":
                _write_parquet(store, table, file, column)
                return
            rows = store.to_dicts(table, row_id=column)
        except ValueError as error:
            raise FailedError(click.get_current_context(), f"{error}: give another --id") from error
        columns = [column, *store.get_table_cell_ids(table)]
    if file == "-":
        _write(sys.stdout, kind, rows, columns)
    else:
        from weft.server.storage.backup import new_file

        with new_file(file) as part, Path(part).open("w", encoding="utf-8", newline="") as lines:
            _write(lines, kind, rows, columns)


def _write_parquet(store: Store, table: str, file: str, column: str) -> None:
    from pyarrow import parquet

    data = store.table(table).to_arrow(id=column)
    if file == "-":
        parquet.write_table(data, sys.stdout.buffer)
    else:
        from weft.server.storage.backup import new_file

        with new_file(file) as part:
            parquet.write_table(data, part)


def _write(lines: IO[str], kind: str, rows: list[dict[str, Any]], columns: list[str]) -> None:
    match kind:
        case "json":
            json.dump(rows, lines, ensure_ascii=False, indent=2)
            lines.write("\n")
        case "nl":
            lines.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        case "table":
            from rich.console import Console
            from rich.table import Table
            from rich.text import Text

            picture = Table()
            for column in columns:
                picture.add_column(Text(column))
            for row in rows:
                picture.add_row(*(Text(_cell(row.get(column, ""))) for column in columns))
            Console(file=lines, width=None if lines.isatty() else 1000).print(picture)
        case _:
            writer = csv.DictWriter(lines, columns, dialect="excel" if kind == "csv" else "excel-tab")
            writer.writeheader()
            writer.writerows({name: _cell(cell) for name, cell in row.items()} for row in rows)


def _cell(content: Any) -> str:
    """Text as it is, nothing for ``None``, and JSON for the rest."""
    if content is None:
        return ""
    return content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
