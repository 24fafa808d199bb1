"""A table as a data frame of pandas or polars, or as a table of Arrow; these packages are imported here only.

A column is of one kind, told by its cells, of which ``None`` and absent ones are null:

==========================================  ==================  ===============  ======================
its cells                                   pandas              polars           Arrow
==========================================  ==================  ===============  ======================
text                                        ``string``          ``String``       ``string``
truth values                                ``boolean``         ``Boolean``      ``bool``
integers                                    ``Int64``           ``Int64``        ``int64``
numbers, not all of them integers           ``Float64``         ``Float64``      ``double``
lists of items of one of these kinds        ``object``, lists   ``List(…)``      ``list<…>``
nothing but nulls                           ``object``          ``Null``         ``null``
all else: objects, other lists, a mixture   ``object``, cells   ``String``,      ``string``, JSON text
                                            as they are         JSON text
==========================================  ==================  ===============  ======================
"""

from __future__ import annotations

from contextlib import contextmanager
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

from weft.jsoncodec import dumps

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import pandas as pd
    import polars as pl
    import pyarrow as pa

    from weft.changes import Table

__all__ = ["arrow_table", "to_arrow", "to_pandas", "to_polars"]

_KINDS = {frozenset({str}): "text", frozenset({bool}): "truth", frozenset({int}): "integer", frozenset(): ""}
_PANDAS = {"text": "string", "truth": "boolean", "integer": "Int64", "number": "Float64"}


class _Kind(NamedTuple):
    """The kind of a column: of its cells, or of their items where it is one of lists; "" for nothing."""

    name: str
    is_list: bool = False


@contextmanager
def _needed(what: str, package: str) -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name != package:
            raise
        message = f"{what} needs the package {package!r}: pip install {package}"
        raise ImportError(message, name=package) from error


def to_pandas(table: Table, cell_ids: Iterable[str], row_id: str | None) -> pd.DataFrame:
    """Make a ``pandas.DataFrame``; the row ids are its index, of the name ``row_id``."""
    with _needed("to_pandas()", "pandas"):
        import pandas as pd
    columns = {
        cell_id: pd.array(values, dtype="object" if kind.is_list else _PANDAS.get(kind.name, "object"))
        for cell_id, kind, values in _columns(table, cell_ids, row_id)
    }
    index = pd.RangeIndex(len(table)) if row_id is None else pd.Index(list(table), name=row_id)
    return pd.DataFrame(columns, index=index)


def to_polars(table: Table, cell_ids: Iterable[str], row_id: str | None) -> pl.DataFrame:
    """Make a ``polars.DataFrame``; the row ids are its first column, of the name ``row_id``."""
    with _needed("to_polars()", "polars"):
        import polars as pl
    types: dict[str, Any] = {
        "text": pl.String, "truth": pl.Boolean, "integer": pl.Int64, "number": pl.Float64,
        "": pl.Null, "json": pl.String,
    }  # fmt: skip
    # By name, as a list of series would rename one whose name is empty.
    series = {} if row_id is None else {row_id: pl.Series(row_id, list(table), dtype=pl.String)}
    for cell_id, kind, values in _columns(table, cell_ids, row_id):
        dtype = pl.List(types[kind.name]) if kind.is_list else types[kind.name]
        series[cell_id] = pl.Series(cell_id, _narrow(values, kind), dtype=dtype)
    return pl.DataFrame(series)


def to_arrow(table: Table, cell_ids: Iterable[str], row_id: str | None) -> pa.Table:
    """Make a ``pyarrow.Table``; the row ids are its first column, of the name ``row_id``."""
    with _needed("to_arrow()", "pyarrow"):
        import pyarrow as pa
    types: dict[str, Any] = {
        "text": pa.string(), "truth": pa.bool_(), "integer": pa.int64(),
        "number": pa.float64(), "": pa.null(), "json": pa.string(),
    }  # fmt: skip
    arrays = {} if row_id is None else {row_id: pa.array(list(table), pa.string())}
    for cell_id, kind, values in _columns(table, cell_ids, row_id):
        arrow_type = pa.list_(types[kind.name]) if kind.is_list else types[kind.name]
        arrays[cell_id] = pa.array(_narrow(values, kind), arrow_type)
    return pa.table(arrays)


def arrow_table(source: object) -> pa.Table:
    """Read what gives itself as Arrow data.

    Raises:
        ImportError: ``pyarrow`` is not installed.
    """
    with _needed(f"loading a {type(source).__name__}", "pyarrow"):
        import pyarrow as pa
    return pa.table(source)


def _columns(
    table: Table, cell_ids: Iterable[str], row_id: str | None
) -> Iterator[tuple[str, _Kind, list[Any]]]:
    for cell_id in cell_ids:
        if cell_id == row_id:
            raise ValueError(
                f"the table has cells {row_id!r}, which the row's id would take the place of: choose another"
            )
        values = [row.get(cell_id) for row in table.values()]
        yield cell_id, _kind_of(values), values


def _kind_of(values: Iterable[object]) -> _Kind:
    types = {type(value) for value in values} - {type(None)}
    name = _KINDS.get(frozenset(types))
    if name is not None:
        return _Kind(name)
    if types <= {int, float}:
        return _Kind("number")
    if types == {list}:
        items = _kind_of(chain.from_iterable(value for value in values if isinstance(value, list)))
        if not items.is_list and items.name != "json":
            return _Kind(items.name, is_list=True)
    return _Kind("json")


def _narrow(values: list[Any], kind: _Kind) -> list[Any]:
    """Give the values of a column as libraries take them that want one type."""
    if kind.is_list:
        return [None if value is None else _narrow(value, _Kind(kind.name)) for value in values]
    if kind.name == "number":
        return [None if value is None else float(value) for value in values]
    if kind.name == "json":
        return [None if value is None else dumps(value) for value in values]
    return values
