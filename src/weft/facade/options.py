"""What may be said when a Store is opened or connected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from weft._support.arguments import check_callable, check_seconds, wrong_kind
from weft.store import Store, to_values_schema

if TYPE_CHECKING:
    from collections.abc import Callable

    from weft.providers import Backoff
    from weft.providers.address import Given
    from weft.providers.transport import Transport
    from weft.store import CellSchema
    from weft.values import Cell

__all__ = ["ConnectOptions", "OpenOptions", "Options"]


class OpenOptions(TypedDict, total=False):
    """Keyword arguments of ``weft.open`` and ``weft.connect``.

    Attributes:
        schema: Table id to a schema as TinyBase writes it, or to a dataclass, TypedDict, NamedTuple or
            pydantic model. What is there and does not fit stays out of the Store, and is reported.
        values_schema: The same for the keyed values: a schema, or such a class.
        layout: How the Store stands in the document: see ``YjsMirror``; a dict of shapes for the document of
            another application, as ``weft.inspect`` proposes it.
        on_invalid: As of ``Store``.
        row_ids: As of ``Store``.
        encode: As of ``Store``.
        durable: Of a replica: ``"now"``, what was written is on disk when the next ``await`` returns;
            ``"soon"``, the event loop never waits for the disk.
        on_error: Called with what goes wrong where nobody waits for it. Without it, it is logged.
    """

    schema: Mapping[str, type | Mapping[str, CellSchema]] | None
    values_schema: type | Mapping[str, CellSchema] | None
    layout: Any
    on_invalid: Literal["raise", "ignore"]
    row_ids: Any
    encode: Callable[[Any], Cell] | None
    durable: Literal["now", "soon"]
    on_error: Callable[[Exception], None] | None


class ConnectOptions(OpenOptions, total=False):
    """Keyword arguments of ``weft.connect``, beside those of ``weft.open``.

    Attributes:
        token: Sent as the query parameter ``token``, where browsers' clients have it, too, as they can set no
            headers. A function or coroutine function is asked for it at each connect.
        headers: HTTP headers of the handshake; likewise.
        merge: Whether a file of another room, or Automerge document, may be taken for ``offline=``: what both
            hold is merged, and the file belongs to this one from then on.
        connect: Whether to connect by itself. Otherwise ``store.sync.sync()`` does, for as long as it takes.
        transport: Opens the connections; ``WebsocketsTransport(ssl=…)`` has other TLS settings.
        backoff: Waits between tries.
        open_timeout: Seconds a handshake may take.
        close_timeout: Seconds for which the end waits for what the server has not confirmed; a server that
            does not answer the goodbye takes as long again.
    """

    token: Given[str]
    headers: Given[Mapping[str, str]]
    merge: bool
    connect: bool
    transport: Transport | None
    backoff: Backoff | None
    open_timeout: float
    close_timeout: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """All of them, with what holds where nothing is said; checked when it is made.

    Raises:
        TypeError, ValueError: One of them is none: ``InvalidSchemaError`` for a schema.
    """

    schema: Mapping[str, type | Mapping[str, CellSchema]] | None = None
    values_schema: type | Mapping[str, CellSchema] | None = None
    layout: Any = None
    on_invalid: Literal["raise", "ignore"] = "raise"
    row_ids: Any = "auto"
    encode: Callable[[Any], Cell] | None = None
    durable: Literal["now", "soon"] = "now"
    on_error: Callable[[Exception], None] | None = None
    token: Given[str] = None
    headers: Given[Mapping[str, str]] = None
    merge: bool = False
    connect: bool = True
    transport: Transport | None = None
    backoff: Backoff | None = None
    open_timeout: float = 10.0
    close_timeout: float = 5.0

    def __post_init__(self) -> None:
        check_callable("on_error", self.on_error)
        check_callable("encode", self.encode)
        check_seconds("open_timeout", self.open_timeout)
        check_seconds("close_timeout", self.close_timeout, or_zero=True)
        if self.token is not None and not isinstance(self.token, str) and not callable(self.token):
            raise wrong_kind("a str for token, or a function that returns one,", self.token)
        if self.headers is not None and not isinstance(self.headers, Mapping) and not callable(self.headers):
            raise wrong_kind("a mapping for headers, or a function that returns one,", self.headers)
        if self.durable not in {"now", "soon"}:
            raise ValueError(f'durable must be "now" or "soon", not {self.durable!r}')
        self.prepare(Store(on_invalid=self.on_invalid, row_ids=self.row_ids))

    @property
    def store_options(self) -> dict[str, Any]:
        """The arguments of the Store."""
        return {"on_invalid": self.on_invalid, "row_ids": self.row_ids, "encode": self.encode}

    def prepare(self, store: Store) -> None:
        """Give a Store its schemas, before anything is in it."""
        if self.schema is not None:
            if not isinstance(self.schema, Mapping):
                raise wrong_kind("a mapping of table ids for schema", self.schema)
            store.set_tables_schema(
                {
                    table_id: to_values_schema(given) if isinstance(given, type) else given
                    for table_id, given in self.schema.items()
                }
            )
        if self.values_schema is not None:
            given = self.values_schema
            store.set_values_schema(to_values_schema(given) if isinstance(given, type) else given)
