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
    ├── ReadOnlyError (RuntimeError)       a write where one may only look
    ├── WrongThreadError (RuntimeError)    a use in another thread than the one it belongs to
    │   ├── WrongTaskError                 a write into the transaction of another task
    │   └── WrongProcessError              a use in a process that was forked since
    ├── DocumentClosedError (RuntimeError) a document, or what is mirrored in it, that was given up
    ├── MirrorError                        a mirror and its document cannot go together
    ├── ProtocolError                      a wire protocol was violated
    │   ├── LocalProtocolError (RuntimeError)   by the caller: illegal call in this state
    │   └── RemoteProtocolError            by the peer: bytes that are not a message, or break a limit
    │       ├── MessageTooLargeError       a message larger than may be received
    │       └── UnreadableContentError     content that is right, and that the binding here cannot read
    ├── ProviderError (ConnectionError)    a provider cannot do what was asked
    │   ├── ConnectError                   the server could not be reached, or refused the handshake
    │   ├── ConnectionClosedError          the connection ended, with a close code
    │   ├── DocumentUnavailableError       the server has not got the document, so far
    │   ├── WriteDeniedError (ReadOnlyError)   the server does not take what was written
    │   └── ProviderClosedError            the provider was closed by its owner
    ├── SyncTimeoutError (TimeoutError)    a wait for synchronisation ran out of time
    └── StorageError                       a place that keeps data failed
        ├── RoomDeletedError               a room of a server that was deleted
        ├── RoomDamagedError               a room of a server of which not all can be read
        ├── ReplicaInUseError              a replica that another process, or this one, has open
        └── ReplicaRoomError               a replica of one room that was to be used with another one

Facts are attributes; the sentence is built from them. A foreign exception is mapped where it
enters and kept as ``__cause__``.
"""

from __future__ import annotations

from weft.errors.base import WeftError as WeftError, shown
from weft.errors.storage import (
    ReplicaInUseError as ReplicaInUseError,
    ReplicaRoomError as ReplicaRoomError,
    RoomDamagedError as RoomDamagedError,
    RoomDeletedError as RoomDeletedError,
    StorageError as StorageError,
)

__all__ = [
    "ConnectError",
    "ConnectionClosedError",
    "DataError",
    "DocumentClosedError",
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
    "MessageTooLargeError",
    "MirrorError",
    "ProtocolError",
    "ProviderClosedError",
    "ProviderError",
    "ReadOnlyError",
    "RemoteProtocolError",
    "ReplicaInUseError",
    "ReplicaRoomError",
    "RoomDamagedError",
    "RoomDeletedError",
    "StorageError",
    "SyncTimeoutError",
    "UnreadableContentError",
    "WeftError",
    "WriteDeniedError",
    "WrongProcessError",
    "WrongTaskError",
    "WrongThreadError",
]


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
        return f"id {shown(self.id)}: {self.reason}"


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
        place = ", ".join(f"{name} {shown(id_)}" for name, id_ in names if id_ is not None)
        return f"{place or 'tables'}: {self.reason}; got {shown(self.cell)}"


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
        place = "values" if self.value_id is None else f"value {shown(self.value_id)}"
        return f"{place}: {self.reason}; got {shown(self.value)}"


class InvalidValueTypeError(InvalidValueError, TypeError):
    """A keyed value of a Python type that none can have."""


class InvalidSchemaError(DataError):
    """A schema that is not one. The schema in force is unchanged."""


class InvalidJsonError(DataError):
    """Text that is not strict JSON (RFC 8259), or JSON that is not content."""


class ReadOnlyError(WeftError, RuntimeError):
    """A write by who may only look.

    By a listener that is no mutator, or runs after the transaction: nothing changed. By a client of a server:
    see :class:`WriteDeniedError`.
    """


class WrongThreadError(WeftError, RuntimeError):
    """Something was used in a thread that it does not belong to. Nothing changed.

    Attributes:
        what: What it was: ``"the Store"``.
        owner: The name of the thread it belongs to: the one that attached it (a mirror, a persister, a
            provider, a server).
        caller: The name of the thread that used it.
        has_loop: Whether it was attached in an event loop, to which the call can be handed over.
    """

    def __init__(self, what: str, owner: str, caller: str, has_loop: bool = True) -> None:
        super().__init__(what, owner, caller, has_loop)
        self.what = what
        self.owner = owner
        self.caller = caller
        self.has_loop = has_loop

    def __str__(self) -> str:
        said = (
            f"{self.what} belongs to thread {self.owner!r}, which attached it, and was used in thread "
            f"{self.caller!r}; nothing changed. "
        )
        hand_over = "loop.call_soon_threadsafe(...) or asyncio.run_coroutine_threadsafe(...)"
        if self.has_loop:
            return f"{said}Hand the call over with {hand_over}"
        return (
            f"{said}No event loop ran where it was attached (at import, perhaps): start the mirror or "
            "provider where it is used, in the application's lifespan or in the thread that works with it. "
            f"If an event loop runs in {self.owner!r} by now, hand the call over with {hand_over}; a program "
            "without one uses weft.sync.connect(...) or weft.sync.open(...)"
        )


class WrongTaskError(WrongThreadError):
    """A write while a ``with store.transaction():`` of another task stands across an ``await``.

    Nothing changed. The write would have become part of that transaction, and would go with its rollback.

    Attributes:
        owner: The origin of the open transaction, as text.
        caller: The name of the task, or thread, that wrote.
    """

    def __str__(self) -> str:
        return (
            f"{self.what} has an open transaction (origin {self.owner}), which another task holds across an "
            f"await, and {self.caller} wrote; nothing changed. Await first and open the transaction after "
            "that, or hold an asyncio.Lock around both"
        )


class WrongProcessError(WrongThreadError):
    """Something was used in a process that was forked after it was made. Nothing changed.

    Its threads and connections are the parent's, and so is the client id of a document.

    Attributes:
        owner: The id of the process in which it was made.
        caller: The id of this process.
    """

    def __str__(self) -> str:
        return (
            f"{self.what} was made in process {self.owner} and used in process {self.caller}, a fork of it, "
            "which has neither its threads nor its connections; nothing changed. Make it after the fork "
            '(store.copy() gives a Store of one\'s own), or start processes with the method "spawn"'
        )


class DocumentClosedError(WeftError, RuntimeError):
    """A document that was given up by what kept it, such as a room that was unloaded. Nothing changed.

    Attributes:
        what: What was closed.
        reason: Why, and what to do.
    """

    def __init__(self, what: str, reason: str) -> None:
        super().__init__(what, reason)
        self.what = what
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.what} was closed: {self.reason}"


class MirrorError(WeftError):
    """A mirror and its document cannot go together, or part of the document cannot be mirrored."""


class ProtocolError(WeftError):
    """A wire protocol was violated."""


class LocalProtocolError(ProtocolError, RuntimeError):
    """The caller asked for something this session's state does not allow. Nothing changed."""


class RemoteProtocolError(ProtocolError):
    """The peer sent bytes that are not a message, or that break a limit. Nothing was applied.

    Attributes:
        bound: The name of the limit, if it is one of ``weft.limits.Limits``; else empty.
    """

    def __init__(self, *args: object, bound: str = "") -> None:
        super().__init__(*args)
        self.bound = bound


class MessageTooLargeError(RemoteProtocolError):
    """The peer sent a message larger than may be received. Nothing was applied.

    Attributes:
        size: Bytes of the message.
        limit: Bytes that are allowed.
    """

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(size, limit, bound="max_message")
        self.size = size
        self.limit = limit

    def __str__(self) -> str:
        return f"message of {self.size} bytes; {self.limit} are allowed (max_message)"


class UnreadableContentError(RemoteProtocolError):
    """A peer wrote what is right, and what the binding at this end would misread. Nothing was applied.

    A server's room keeps it and gives it to those who can read it. A document of the binding can go on with
    the others when its writer has deleted it and the room has been compacted.

    Attributes:
        content: What it is.
    """

    def __init__(self, content: str) -> None:
        super().__init__(content)
        self.content = content

    def __str__(self) -> str:
        return f"not a usable update: {self.content}, which Yjs reads and pycrdt would misread"


class ProviderError(WeftError, ConnectionError):
    """A provider cannot do what was asked."""


class WriteDeniedError(ProviderError, ReadOnlyError):
    """A client may only read: the server does not take what was written, which stands in the document here.

    Attributes:
        reason: What the server says.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"the server does not allow what was sent: {self.reason[:200]!r}"


class ConnectError(ProviderError):
    """The server could not be reached, or refused the handshake.

    Attributes:
        url: Where to; query parameters are left out, as they may hold tokens.
        reason: What stood in the way.
        status: HTTP status of a refused handshake, or ``None``.
        retry_after: Seconds after which the server wants to be asked again, if it said so.
    """

    def __init__(
        self, url: str, reason: str, *, status: int | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(url, reason)
        self.url = url
        self.reason = reason
        self.status = status
        self.retry_after = retry_after

    def __str__(self) -> str:
        return f"cannot connect to {self.url}: {self.reason}"


class ConnectionClosedError(ProviderError):
    """The connection ended.

    Attributes:
        code: Websocket close code (RFC 6455, section 7.4); 1006 where no close frame came.
        reason: The peer's close reason, possibly empty.
        permanent: Whether another try would end the same way: the codes 4400 to 4499, 1009 where a message is
            too large and cannot be sent in parts, and 1002, 1003 or 1007 where the same message was refused
            on several connections in a row.
    """

    def __init__(self, code: int, reason: str = "", *, permanent: bool = False) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason
        self.permanent = permanent

    def __str__(self) -> str:
        tail = f" ({shown(self.reason)})" if self.reason else ""
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
