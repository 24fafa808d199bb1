"""What weft uses of the ``automerge`` package, typed as it is, in one place.

The package's stubs name classes that its modules do not have, and lack ``fork_at`` and ``splice_text``; its
``core.Document`` is the only layer without a lock, a poll or O(document) work at each change. Nothing else
in weft imports ``automerge``.
"""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, cast

from automerge import core as _core

from weft.errors import RemoteProtocolError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

__all__ = [
    "LARGE",
    "ROOT",
    "CoreChange",
    "CoreDocument",
    "CoreMark",
    "CoreTransaction",
    "ExpandMark",
    "ObjType",
    "Read",
    "Reading",
    "ScalarType",
    "SyncState",
    "contained",
    "decode_message",
    "load_core",
    "load_to_write",
    "make_immortal",
    "merged",
    "new_core",
]

ROOT: bytes = _core.ROOT
ExpandMark = _core.ExpandMark
ObjType = _core.ObjType
ScalarType = _core.ScalarType
SyncState = _core.SyncState

# An object's type or a scalar with its type, and the id of the object or operation. The types compare with
# ``==``: each read makes new ones.
Read: TypeAlias = tuple[Any, bytes]

LARGE = (
    128 * 1024
)  # bytes of a saved document, some 40,000 cells: to merge it pays after a few hundred writes

_Heads: TypeAlias = "Sequence[bytes] | None"


class CoreChange(Protocol):
    """One change; ``raw_bytes`` is its chunk, never compressed."""

    @property
    def hash(self) -> bytes: ...
    @property
    def raw_bytes(self) -> bytes: ...
    @property
    def deps(self) -> Sequence[bytes]: ...
    @property
    def actor_id(self) -> bytes: ...
    @property
    def seq(self) -> int: ...
    @property
    def start_op(self) -> int: ...
    @property
    def max_op(self) -> int: ...


class CoreMark(Protocol):
    """A mark of a text, in code points."""

    @property
    def name(self) -> str: ...
    @property
    def value(self) -> tuple[Any, Any]: ...
    @property
    def start(self) -> int: ...
    @property
    def end(self) -> int: ...


class Reading(Protocol):
    """What can be read, also in an open transaction."""

    def get_heads(self) -> list[bytes]: ...
    def get(self, obj_id: bytes, prop: str | int, heads: _Heads = None) -> Read | None: ...
    def keys(self, obj_id: bytes, heads: _Heads = None) -> list[str]: ...
    def values(self, obj_id: bytes, heads: _Heads = None) -> list[Read]: ...
    def length(self, obj_id: bytes, heads: _Heads = None) -> int: ...
    def text(self, obj_id: bytes, heads: _Heads = None) -> str: ...
    def marks(self, obj_id: bytes, heads: _Heads = None) -> list[CoreMark]: ...


class CoreTransaction(Reading, Protocol):
    """The binding's transaction. ``Counter`` and ``Unknown`` scalars poison the document: never put them."""

    def put(self, obj_id: bytes, prop: str | int, scalar_type: Any, value: object) -> None: ...
    def put_object(self, obj_id: bytes, prop: str | int, obj_type: Any) -> bytes: ...
    def insert(self, obj_id: bytes, index: int, scalar_type: Any, value: object) -> None: ...
    def insert_object(self, obj_id: bytes, index: int, obj_type: Any) -> bytes: ...
    def delete(self, obj_id: bytes, prop: str | int) -> None: ...
    def mark(
        self, obj_id: bytes, start: int, end: int, name: str, scalar_type: Any, value: object, expand: Any
    ) -> None: ...
    def unmark(self, obj_id: bytes, start: int, end: int, name: str, expand: Any) -> None: ...
    def splice_text(self, obj_id: bytes, pos: int, delete_count: int, text: str) -> None: ...
    def commit(self) -> None: ...
    def rollback(self) -> None: ...


class CoreDocument(Reading, Protocol):
    """The binding's document."""

    def get_actor(self) -> bytes: ...
    def set_actor(self, actor_id: bytes) -> None: ...
    def transaction(self) -> CoreTransaction: ...
    def fork(self) -> CoreDocument: ...
    def merge(self, other: CoreDocument) -> list[bytes]: ...
    def save(self) -> bytes: ...
    def get_changes(self, heads: Sequence[bytes]) -> list[CoreChange]: ...
    def get_last_local_change(self) -> CoreChange | None: ...
    def generate_sync_message(self, state: SyncState) -> Any: ...
    def receive_sync_message(self, state: SyncState, message: Any) -> None: ...


def new_core(actor: bytes) -> CoreDocument:
    """Make an empty document."""
    return cast("CoreDocument", _core.Document(actor))


def load_core(data: bytes) -> CoreDocument:
    """Load a saved document; it gets an actor of its own."""
    return cast("CoreDocument", _core.Document.load(data))


def load_to_write(data: bytes) -> CoreDocument:
    """Load one saved document so that it is quickly written, where it is large enough for that to matter.

    Args:
        data: A saved document, and nothing behind it: changes that wait for others are not merged.
    """
    loaded = load_core(data)
    return loaded if len(data) < LARGE else merged(loaded)


def merged(loaded: CoreDocument) -> CoreDocument:
    """A document that was loaded in the form that is quickly written; it gets an actor of its own.

    The first write into each map of a document that was loaded takes the binding long, 0.9 ms at 100,000
    cells; of one that was merged, a twentieth of that. To merge takes twice as long as to load.
    """
    core = cast("CoreDocument", _core.Document())
    core.merge(loaded)
    return core


def decode_message(data: bytes) -> Any:
    """Decode a sync message for ``receive_sync_message``."""
    return _core.Message.decode(data)


def make_immortal(core: CoreDocument) -> None:
    """Never let go of a document: one that panicked with its transaction open takes the process with it."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(core))


class contained:  # noqa: N801 - used like a function; one made of a generator takes a third of a read's time
    """Turn what the binding raises, its panics among it, into ``RemoteProtocolError``.

    The binding raises plain ``Exception``. A panic is a ``BaseException`` that cannot be imported by name; it
    has printed its trace on standard error by then.
    """

    __slots__ = ("_doing",)

    def __init__(self, doing: str) -> None:
        self._doing = doing

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, Exception):
            raise RemoteProtocolError(f"cannot {self._doing}: {error}") from error
        if error is not None and type(error).__name__ == "PanicException":
            raise RemoteProtocolError(f"cannot {self._doing}: the binding panicked: {error}") from error
