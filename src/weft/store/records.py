"""Rows out of what others hold: records, data frames, tables of Arrow, arrays; without importing any of them.

What can be read:

==========================================  ============================================================
source                                      how it is told, and read
==========================================  ============================================================
mappings, dataclasses, NamedTuples,         each of an iterable is a record; so are the rows of
pydantic objects                            ``sqlite3`` and other drivers, which have ``keys()``
a dictionary of columns                     a mapping of names to sequences of the same length
``pandas.DataFrame``                        ``iloc``; index levels with a name are columns
``polars.DataFrame``                        ``get_columns()``
``pyarrow`` tables and record batches       ``column_names`` and ``columns``
NumPy's structured arrays                   ``dtype.names``
whatever else gives Arrow data              ``__arrow_c_stream__``, read by ``pyarrow``
==========================================  ============================================================
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from decimal import Decimal
from typing import Any, TypeAlias

from weft._support.arguments import wrong_kind
from weft.errors import InvalidCellError, InvalidIdError, InvalidIdTypeError
from weft.jsoncodec import MAX_DEPTH
from weft.store.converters import fields_in, to_cell
from weft.store.frames import arrow_table

__all__ = ["RowIds", "rows_of"]

RowIds: TypeAlias = "str | Callable[[Mapping[str, Any]], str] | None"

_PLAIN = frozenset({str, int, bool})  # cells as they are
_MISSING = {"NAType", "NaTType", "MaskedConstant"}  # pandas' two, NumPy's


def rows_of(
    table_id: str, source: object, row_ids: RowIds, *, convert: bool
) -> Iterator[tuple[str | None, dict[str, object]]]:
    """Give the row of each record: its id, ``None`` where it is to get one, and its cells.

    The cells are checked by the Store; with ``convert`` they are what :func:`weft.store.to_cell` makes of
    them, and those that are missing are left out.

    Raises:
        TypeError: The source is nothing that has records, or a record has no fields.
        InvalidIdError: A record has no id, or one that can be none.
        InvalidCellError: Columns differ in length, or two have one name.
    """
    for number, record in enumerate(_records(table_id, source)):
        row_id = None
        if row_ids is not None:
            row_id = _row_id(record, row_ids, number, convert=convert)
        yield row_id, _converted(record) if convert else record


def _converted(record: dict[Any, object]) -> dict[str, object]:
    row = {}
    for name, value in record.items():
        if type(value) not in _PLAIN:
            if _is_missing(value):
                continue
            value = _inside(value, 0)  # noqa: PLW2901
        row[_text(name)] = value
    return row


def _row_id(record: dict[Any, object], row_ids: Any, number: int, *, convert: bool) -> str:
    if callable(row_ids):
        given = row_ids(record)
    elif row_ids in record:
        given = record.pop(row_ids)
    else:
        names = ", ".join(map(repr, record)) or "nothing"
        raise InvalidIdError(None, f"record {number} has no {row_ids!r}, only {names:.200}")
    if _is_missing(given):
        raise InvalidIdTypeError(given, f"record {number} has no id")
    text = _text(given) if convert else given
    if not isinstance(text, str):
        kind = type(given).__name__
        hint = "" if convert else "; convert=True makes text of numbers, dates and UUIDs"
        raise InvalidIdTypeError(given, f"record {number}: an id must be a str, not {kind}{hint}")
    return text


def _text(given: object) -> Any:
    """Make text of a name or an id that is a number, a date, a UUID or the like."""
    if isinstance(given, str):
        return given
    made = _inside(given, 0)
    if isinstance(made, float) and made.is_integer():
        made = int(made)  # integers become floats in a column where one is missing
    return str(made) if isinstance(made, (int, float, str)) and not isinstance(made, bool) else given


def _is_missing(value: object) -> bool:
    if value is None or isinstance(value, (str, int)):
        return value is None
    if isinstance(value, float):
        return value != value  # noqa: PLR0124 - NaN
    if isinstance(value, Decimal):
        return value.is_nan()
    kind = type(value)
    if kind.__name__ in _MISSING:
        return True
    # Scalars of NumPy: NaN of other widths, and times.
    return kind.__module__ == "numpy" and getattr(value, "ndim", 1) == 0 and bool(value != value)  # noqa: PLR0124


def _inside(value: Any, depth: int) -> object:
    """Convert a cell; what can be none stays: the Store says so, or its ``encode`` makes one of it."""
    if type(value) in _PLAIN:
        return value
    if _is_missing(value):
        return None  # in a list or an object, where nothing can be absent
    if depth > MAX_DEPTH:
        return value
    if isinstance(value, Mapping):
        return {_text(key): _inside(item, depth + 1) for key, item in value.items()}
    if getattr(value, "ndim", 0):
        value = _listed(value)
    if isinstance(value, (list, tuple, Set)):
        return [_inside(item, depth + 1) for item in value]
    try:
        return to_cell(value)
    except TypeError:
        return value


def _records(table_id: str, source: Any) -> Iterator[dict[Any, object]]:
    columns = _columns(source)
    if columns is not None:
        yield from _zipped(table_id, columns)
        return
    if isinstance(source, (str, bytes)) or not isinstance(source, Iterable):
        hint = "; collect() makes a DataFrame of it" if hasattr(source, "collect") else ""
        given = wrong_kind("an iterable of records, a data frame or a dictionary of columns", source)
        raise TypeError(f"{given}{hint}")
    for number, record in enumerate(source):
        try:
            # Rows of sqlite3 and other drivers have keys and are no mappings.
            yield dict(record) if hasattr(record, "keys") else fields_in(record)
        except TypeError as error:
            raise TypeError(f"record {number}: {error}") from None


def _columns(source: Any) -> list[tuple[Any, Any]] | None:
    """Give the columns by their names, unless the source is one of records."""
    if isinstance(source, Mapping):
        for name, column in source.items():
            if isinstance(column, (str, bytes, Mapping)) or not isinstance(column, Iterable):
                raise TypeError(
                    "a dictionary is taken for one of columns, each a sequence, and that is not so for "
                    f"{name!r}: put a single record into a list; rows by their ids are set with update()"
                )
        return list(source.items())
    names = getattr(getattr(source, "dtype", None), "names", None)
    if names is not None:
        return [(name, source[name]) for name in names]
    if hasattr(source, "iloc") and hasattr(source, "columns"):
        levels = [level for level in source.index.names if level is not None]
        columns = [(level, source.index.get_level_values(level)) for level in levels]
        return columns + [(name, source.iloc[:, at]) for at, name in enumerate(source.columns)]
    if hasattr(source, "get_columns"):
        return [(column.name, column) for column in source.get_columns()]
    if hasattr(source, "column_names"):
        return list(zip(source.column_names, source.columns, strict=True))
    if hasattr(source, "__arrow_c_stream__"):
        return _columns(arrow_table(source))
    return None


def _zipped(table_id: str, columns: list[tuple[Any, Any]]) -> Iterator[dict[Any, object]]:
    names = [name for name, _ in columns]
    for name in names:
        if names.count(name) > 1:
            raise InvalidCellError(table_id, None, str(name), name, "two columns have this name")
    lists = [_listed(column) for _, column in columns]
    for name, values in zip(names, lists, strict=True):
        if len(values) != len(lists[0]):
            reason = f"the column is {len(values)} long, and {names[0]!r} is {len(lists[0])}"
            raise InvalidCellError(table_id, None, str(name), name, reason)
    for record in zip(*lists, strict=True):
        yield dict(zip(names, record, strict=True))


def _listed(column: Any) -> list[Any]:
    if getattr(getattr(column, "dtype", None), "kind", "") in {"m", "M"}:
        return list(column)  # NumPy's tolist() makes integers of times in nanoseconds
    for name in ("to_pylist", "to_list", "tolist"):  # Arrow, polars, NumPy and pandas
        if hasattr(column, name):
            listed: list[Any] = getattr(column, name)()
            return listed
    return list(column)
