"""What weft uses of pycrdt below its public surface, in one place.

The public ``Map`` costs 2.4 to 3.6 µs a cell (a nested transaction object, type checks and a wrapper a call);
the binding's own map underneath costs 0.6 µs. That layer has no promise of stability, which is why the
``yjs`` extra pins the minor version and why nothing else in weft may reach below pycrdt's public names.
"""

from __future__ import annotations

import json
import secrets
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

from pycrdt import Array, Doc, Map
from pycrdt._pycrdt import (
    Array as BindingArray,
    Doc as BindingDoc,
    Map as BindingMap,
    Text as BindingText,
    XmlElement as BindingXmlElement,
    XmlFragment as BindingXmlFragment,
    XmlText as BindingXmlText,
    get_sticky_index_from_json_string,
)
from pycrdt._transaction import ReadTransaction

from weft.errors import RemoteProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

__all__ = [
    "CLIENT_ID_FLOOR",
    "BindingArray",
    "BindingDoc",
    "BindingMap",
    "BindingText",
    "BindingXmlElement",
    "BindingXmlFragment",
    "BindingXmlText",
    "Ignored",
    "RawMap",
    "RawMapEvent",
    "RawText",
    "RawTransactionEvent",
    "Txn",
    "as_text",
    "create_doc",
    "guarded",
    "in_observer",
    "in_transaction",
    "observe_deep",
    "observe_transactions",
    "origin_of",
    "other_kind",
    "raise_after_commit",
    "raw_transaction",
    "read_now",
    "root_kind",
    "root_map",
    "sequence_of",
    "sticky_id",
    "sticky_place",
    "write_alone",
]

# Client ids below this bound belong to the deterministic containers that every peer makes alike.
CLIENT_ID_FLOOR = 1 << 28

T = TypeVar("T")

Txn = Any  # the binding's transaction: opaque, only handed back to RawMap's methods


class RawMap(Protocol):
    """The binding's own map: every call takes the open transaction."""

    def get(self, txn: Txn, key: str) -> Any: ...  # raises ValueError when absent
    def has(self, txn: Txn, key: str) -> bool: ...
    def keys(self, txn: Txn) -> list[str]: ...
    def insert(self, txn: Txn, key: str, value: object) -> None: ...
    def insert_map_prelim(self, txn: Txn, key: str) -> RawMap: ...
    def insert_text_prelim(self, txn: Txn, key: str) -> RawText: ...
    def remove(self, txn: Txn, key: str) -> None: ...


class RawText(Protocol):
    """The binding's own text. Places and lengths are bytes of UTF-8; an embed is one."""

    def len(self, txn: Txn) -> int: ...
    def get_string(self, txn: Txn) -> str: ...  # without embeds
    def diff(self, txn: Txn) -> list[tuple[Any, dict[str, Any] | None]]: ...
    def insert(self, txn: Txn, index: int, chunk: str, attributes: Any = None) -> None: ...
    def insert_embed(self, txn: Txn, index: int, embed: object, attributes: Any = None) -> None: ...
    def format(self, txn: Txn, index: int, length: int, attributes: Any) -> None: ...
    def remove_range(self, txn: Txn, index: int, length: int) -> None: ...
    def sticky_index(self, txn: Txn, index: int, assoc: int) -> Any: ...


def create_doc(**options: Any) -> Doc[Any]:
    """Create a pycrdt document whose client id competes fairly with those of JavaScript peers.

    pycrdt draws 53-bit ids and Yjs 32-bit ones, and the higher id wins a concurrent write: a document of
    pycrdt's own making wins every one. It also repeats ids after ``fork``. This one draws 32 bits from the
    operating system, above 2^28, so that it never meets the id of a container weft creates.

    Args:
        options: As for ``pycrdt.Doc``; a ``client_id`` given here is kept.
    """
    options.setdefault("client_id", CLIENT_ID_FLOOR + secrets.randbelow((1 << 32) - CLIENT_ID_FLOOR))
    return Doc(**options)


@contextmanager
def guarded() -> Iterator[None]:
    """Turn the binding's refusals, its panics among them, into ``RemoteProtocolError``.

    A panic is a ``BaseException`` that cannot be imported by name, hence the look at the class name.
    """
    try:
        yield
    except ValueError as error:
        raise RemoteProtocolError(f"the document refused the update: {error}") from error
    except RuntimeError as error:
        if not str(error).startswith("Cannot apply update"):
            raise  # the document is inside an observer, or otherwise in use
        raise RemoteProtocolError(f"the document refused the update: {error}") from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise RemoteProtocolError(f"the binding panicked on the update: {error}") from error


def in_observer(doc: Doc[Any]) -> bool:
    """Whether one of the document's observers is being called, so that it cannot be written."""
    return isinstance(doc._txn, ReadTransaction)


def in_transaction(doc: Doc[Any]) -> bool:
    """Whether a transaction is open: an asynchronous one stays open while its task waits."""
    return doc._txn is not None


def origin_of(doc: Doc[Any], txn: Txn) -> object:
    """The origin object of a transaction, or ``None``; the binding itself keeps only its hash."""
    return doc._origins.get(txn.origin())


def raise_after_commit(doc: Doc[Any], error: Exception) -> None:
    """Have whoever commits the running transaction get an error, in pycrdt's group of those of observers."""
    doc._exceptions.append(error)


class raw_transaction:  # noqa: N801 - called as a function; a generator would cost each write a microsecond
    """Open a transaction, or join the open one, and give the binding's own transaction object.

    Inside an observer that is the observer's own, to read with: the binding panics when it is written with.
    """

    __slots__ = ("_transaction",)

    def __init__(self, doc: Doc[Any], origin: object = None) -> None:
        # A joined transaction keeps the origin it has.
        self._transaction = doc.transaction(origin if doc._txn is None else None)

    def __enter__(self) -> Txn:
        return cast("Txn", self._transaction.__enter__()._txn)

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._transaction.__exit__(exc_type, exc, traceback)


def write_alone(doc: Doc[Any], origin: object, write: Callable[..., object], *args: object) -> None:
    """Call ``write(txn, *args)`` in a transaction of its own: none may be open, nor an observer be called."""
    with doc.transaction(origin) as transaction:
        write(transaction._txn, *args)


def read_now(doc: Doc[Any], read: Callable[[Txn], T]) -> T | None:
    """Read something; ``None`` while the binding is telling of a commit, when it lets nobody read."""
    transaction = raw_transaction(doc)
    try:
        txn = transaction.__enter__()
    except RuntimeError:
        return None
    with ExitStack() as stack:
        stack.push(transaction)
        return read(txn)


def root_map(doc: Doc[Any], name: str) -> RawMap:
    """The root map of that name, declared if need be (an undeclared root cannot be read)."""
    return cast("RawMap", doc.get(name, type=Map).integrated)


def root_kind(doc: Doc[Any], name: str) -> str | None:
    """What the declared root of that name is, if it is no map.

    Updates do not tell the type of a root: one that was declared as a map and never written as one may turn
    out to hold the characters or elements of something else.
    """
    declared = doc[name]
    if not isinstance(declared, Map):
        return type(declared).__name__
    return "sequence" if len(doc.get(name, type=Array)) else None


def other_kind(doc: Doc[Any], txn: Txn, name: str, kind: type[Any]) -> str | None:
    """What the declared root of that name is, if it is not of this kind."""
    declared = doc[name]
    if not isinstance(declared, kind):
        return type(declared).__name__
    if kind is Map:
        return None if root_map(doc, name).keys(txn) else root_kind(doc, name)
    as_map = cast("RawMap", doc._doc.get_or_insert_map(txn, name))
    return "Map" if as_map.keys(txn) else None


def sequence_of(doc: Doc[Any], name: str) -> Callable[[Txn], list[object]]:
    """Make what reads all that a root sequence of that name holds, but for plain values, in one walk.

    It is made outside of observers, and may be called in them.

    To ask an array for an element by index is to walk it from its beginning; read as a text it is walked
    once.
    """
    with doc.transaction() as transaction:
        text = doc._doc.get_or_insert_text(transaction._txn, name)  # type: ignore[arg-type]
    return lambda txn: [value for value, _ in text.diff(txn)]


def as_text(found: object) -> RawText | None:
    """What was found, where it is a text."""
    return cast("RawText", found) if type(found) is BindingText else None


def sticky_id(text: RawText, txn: Txn, index: int, assoc: int = 0) -> tuple[int, int]:
    """Client and clock of what stands at an index of a text, or with -1 before it. There must be something.

    Within a piece of text it is the clock of the first code unit and the *bytes* from there.
    """
    item = json.loads(text.sticky_index(txn, index, assoc).to_json_string())["item"]
    return item["client"], item["clock"]


def sticky_place(txn: Txn, client: int, clock: int) -> int | None:
    """Where a code unit is now; ``None`` where the document has no such.

    It is the bytes before its piece of text and the *code units* from there; of what is deleted the bytes.
    """
    position = {"item": {"client": client, "clock": clock}, "assoc": 0}
    try:
        place: int = get_sticky_index_from_json_string(json.dumps(position)).get_offset(txn)
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        return None
    return place


class RawMapEvent(Protocol):
    """The binding's event of one changed map; that of a text has ``delta`` instead of ``keys``."""

    target: RawMap
    path: list[str | int]
    keys: dict[str, dict[str, Any]]
    delta: list[dict[str, Any]]


class RawTransactionEvent(Protocol):
    """The binding's event of one transaction; all but ``update`` is valid inside the callback only."""

    update: bytes
    delete_set: bytes
    before_state: bytes


class Ignored:
    """Whether the commits of the moment need not be heard."""

    __slots__ = ("is_set",)

    def __init__(self) -> None:
        self.is_set = False


def observe_deep(
    doc: Doc[Any],
    shared: RawMap,
    callback: Callable[[list[RawMapEvent], Txn], None],
    ignored: Ignored | None = None,
) -> Callable[[], None]:
    """Call ``callback(events, txn)`` inside each commit that changed the map or anything in it.

    While it runs, the document's own API reads and refuses to write, as in pycrdt's observers.

    Args:
        doc: The document.
        shared: The map, usually a root.
        callback: Must not raise: an exception here surfaces in whoever commits.
        ignored: Says of which commits not to call.

    Returns:
        A function that ends the observation.
    """

    def receive(events: list[Any]) -> None:
        if ignored is not None and ignored.is_set:
            return
        transaction = events[0].transaction
        with doc._read_transaction(transaction):
            callback(events, transaction)

    subscription = cast("Any", shared).observe_deep(receive)
    return cast("Callable[[], None]", subscription.drop)


def observe_transactions(
    doc: Doc[Any], callback: Callable[[RawTransactionEvent], None]
) -> Callable[[], None]:
    """Call ``callback(event)`` at the end of each commit; it must neither raise nor touch the document.

    Returns:
        A function that ends the observation.
    """
    subscription = doc._doc.observe(cast("Any", callback))
    return subscription.drop
