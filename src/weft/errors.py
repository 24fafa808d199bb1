"""Every error weft raises, as one tree.

::

    WeftError
    ├── DataError (ValueError)            a local call with data that cannot be stored
    │   ├── InvalidIdError                 an id that is not a usable string
    │   │   └── InvalidIdTypeError (TypeError)
    │   ├── InvalidCellError               a cell that cannot be, or that the schema refuses
    │   │   └── InvalidCellTypeError (TypeError)
    │   ├── InvalidValueError              the same for a keyed value
    │   │   └── InvalidValueTypeError (TypeError)
    │   ├── InvalidSchemaError             a schema that is not one
    │   └── InvalidJsonError               text that is not strict JSON, or not content
    ├── ReadOnlyError (RuntimeError)       a write where listeners may only look
    ├── MirrorError                        a mirror and its document cannot go together
    ├── ProtocolError                      a wire protocol was violated
    │   ├── LocalProtocolError (RuntimeError)   by the caller: illegal call in this state
    │   └── RemoteProtocolError            by the peer: bytes that are not a message, or break a limit
    ├── ProviderError (ConnectionError)    a provider cannot do what was asked
    │   ├── ConnectError                   the server could not be reached, or refused the handshake
    │   ├── ConnectionClosedError          the connection ended, with a close code
    │   ├── DocumentUnavailableError       the server has not got the document, so far
    │   └── ProviderClosedError            the provider was closed by its owner
    ├── SyncTimeoutError (TimeoutError)    a wait for synchronisation ran out of time
    └── StorageError                       a place that keeps data failed

Facts are attributes; the sentence is built from them. A foreign exception is mapped where it
enters and kept as ``__cause__``.
"""

from __future__ import annotations

__all__ = [
    "ConnectError",
    "ConnectionClosedError",
    "DataError",
    "DocumentUnavailableError",
    "InvalidCellError",
    "InvalidCellTypeError",
    "InvalidIdError",
    "InvalidIdTypeError",
    "InvalidJsonError",
    "InvalidSchemaError",
    "InvalidValueError",
    "InvalidValueTypeError",
    "LocalProtocolError",
    "MirrorError",
    "ProtocolError",
    "ProviderClosedError",
    "ProviderError",
    "ReadOnlyError",
    "RemoteProtocolError",
    "StorageError",
    "SyncTimeoutError",
    "WeftError",
]

_SHOWN = 200  # characters of foreign data in a message; enough to recognise it, too few to flood a log


def _show(data: object) -> str:
    try:
        text = repr(data)
    except Exception as error:  # noqa: BLE001 - an integer of 5,000 digits cannot be shown
        text = f"data of type {type(data).__name__} that cannot be shown ({type(error).__name__})"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


class WeftError(Exception):
    """Base of all errors weft raises."""


class DataError(WeftError, ValueError):
    """Data that cannot be stored. The Store is as it was before the transaction."""


class InvalidIdError(DataError):
    """An id that cannot be used.

    Attributes:
        id: What was given.
        reason: Why it cannot be used.
    """

    def __init__(self, id: object, reason: str) -> None:  # noqa: A002 - the field's own word
        super().__init__(id, reason)
        self.id = id
        self.reason = reason

    def __str__(self) -> str:
        return f"id {_show(self.id)}: {self.reason}"


class InvalidIdTypeError(InvalidIdError, TypeError):
    """An id that is not a ``str``."""


class InvalidCellError(DataError):
    """A cell, or the row or table around it, that cannot be stored.

    Attributes:
        table_id: Table, or ``None`` where the whole content is at fault.
        row_id: Row, or ``None`` where the whole table is at fault.
        cell_id: Cell, or ``None`` where the whole row is at fault.
        cell: What was given.
        reason: Why it was refused.
    """

    def __init__(
        self, table_id: str | None, row_id: str | None, cell_id: str | None, cell: object, reason: str
    ) -> None:
        super().__init__(table_id, row_id, cell_id, cell, reason)
        self.table_id = table_id
        self.row_id = row_id
        self.cell_id = cell_id
        self.cell = cell
        self.reason = reason

    def __str__(self) -> str:
        names = zip(("table", "row", "cell"), (self.table_id, self.row_id, self.cell_id), strict=True)
        place = ", ".join(f"{name} {_show(id_)}" for name, id_ in names if id_ is not None)
        return f"{place or 'tables'}: {self.reason}; got {_show(self.cell)}"


class InvalidCellTypeError(InvalidCellError, TypeError):
    """A cell of a Python type that no cell can have."""


class InvalidValueError(DataError):
    """A keyed value that cannot be stored.

    Attributes:
        value_id: Value id, or ``None`` where the whole of the values is at fault.
        value: What was given.
        reason: Why it was refused.
    """

    def __init__(self, value_id: str | None, value: object, reason: str) -> None:
        super().__init__(value_id, value, reason)
        self.value_id = value_id
        self.value = value
        self.reason = reason

    def __str__(self) -> str:
        place = "values" if self.value_id is None else f"value {_show(self.value_id)}"
        return f"{place}: {self.reason}; got {_show(self.value)}"


class InvalidValueTypeError(InvalidValueError, TypeError):
    """A keyed value of a Python type that none can have."""


class InvalidSchemaError(DataError):
    """A schema that is not one. The schema in force is unchanged."""


class InvalidJsonError(DataError):
    """Text that is not strict JSON (RFC 8259), or JSON that is not content."""


class ReadOnlyError(WeftError, RuntimeError):
    """A listener that is no mutator, or runs after the transaction, tried to write. Nothing changed."""


class MirrorError(WeftError):
    """A mirror and its document cannot go together, or part of the document cannot be mirrored."""


class ProtocolError(WeftError):
    """A wire protocol was violated."""


class LocalProtocolError(ProtocolError, RuntimeError):
    """The caller asked for something this session's state does not allow. Nothing changed."""


class RemoteProtocolError(ProtocolError):
    """The peer sent bytes that are not a message, or that break a limit. Nothing was applied."""


class ProviderError(WeftError, ConnectionError):
    """A provider cannot do what was asked."""


class ConnectError(ProviderError):
    """The server could not be reached, or refused the handshake.

    Attributes:
        url: Where to; query parameters are left out, as they may hold tokens.
        reason: What stood in the way.
        status: HTTP status of a refused handshake, or ``None``.
    """

    def __init__(self, url: str, reason: str, *, status: int | None = None) -> None:
        super().__init__(url, reason)
        self.url = url
        self.reason = reason
        self.status = status

    def __str__(self) -> str:
        return f"cannot connect to {self.url}: {self.reason}"


class ConnectionClosedError(ProviderError):
    """The connection ended.

    Attributes:
        code: Websocket close code (RFC 6455, section 7.4); 1006 where no close frame came.
        reason: The peer's close reason, possibly empty.
        permanent: Whether the code forbids another try (4400 to 4499).
    """

    def __init__(self, code: int, reason: str = "", *, permanent: bool = False) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason
        self.permanent = permanent

    def __str__(self) -> str:
        tail = f" ({_show(self.reason)})" if self.reason else ""
        return f"connection closed with code {self.code}{tail}"


class DocumentUnavailableError(ProviderError):
    """The server has not got a document, nor has anybody it knows. It may become available later.

    Attributes:
        url: The document's URL.
    """

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.url = url

    def __str__(self) -> str:
        return f"the server has not got {self.url}, so far"


class ProviderClosedError(ProviderError):
    """The provider was closed by its owner, or has not been opened."""


class SyncTimeoutError(WeftError, TimeoutError):
    """A wait for synchronisation ran out of time. Nothing is lost: the provider goes on trying."""


class StorageError(WeftError):
    """A place that keeps data failed. What it held before is still there."""
