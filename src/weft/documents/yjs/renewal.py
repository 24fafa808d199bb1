"""Another document of the binding in the place of the one that a ``pycrdt.Doc`` has.

Content of the binding cannot be written over: where it has to be other than it was taken in, a new document
is made of corrected bytes. Everybody holds the ``pycrdt.Doc``, which stays; what of pycrdt refers to the
document within is looked for among all objects and given its counterpart. That takes time linear in the
program's objects and in the document.
"""

from __future__ import annotations

import gc
import logging
import weakref
from collections import deque
from contextlib import contextmanager
from ctypes import string_at
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn, cast

from pycrdt import Doc
from pycrdt._base import BaseType, observe_callback, observe_deep_callback
from pycrdt._doc import observe_callback as observe_doc_callback
from pycrdt._pycrdt import (
    Array,
    Doc as BindingDoc,
    Map,
    Subscription,
    Text,
    XmlElement,
    XmlFragment,
    XmlText,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from weft.documents.yjs.binding import Txn

__all__ = ["renew_doc"]

_log = logging.getLogger("weft.documents")

_DECLARE = {Array: "array", Map: "map", Text: "text", XmlFragment: "xml_fragment"}
_SHARED = (*_DECLARE, XmlElement, XmlText)
# The binding walks a list from its beginning for each element: 0.1 s for so many, 8 s for 20,000.
_WALKED = 5000
_PROBE = "deleted by weft"


def renew_doc(doc: Doc[Any], update: bytes, *, end: Callable[[], None], begin: Callable[[], None]) -> None:
    """Have a document hold what an update says, which is the whole of it.

    Shared types that were got from it go on, and so do functions that observe them or the document. Those
    that have been deleted raise at every use, and undo managers of pycrdt see no more of the document. A
    transaction that is open is committed, and goes on as another.

    Args:
        doc: The document; no observer of it is being called.
        update: Yjs v1 update of the same structs, of which the content may differ.
        end: Ends what observes the document within by other means than pycrdt's; called when a transaction
            that was open has been committed.
        begin: Begins it again; called before that transaction goes on.
    """
    running = doc._txn
    if running is not None:
        cast("Any", running._txn).commit()
        cast("Any", running._txn).drop()
    end()
    old, holders = doc._doc, _holders(doc)
    observers = _Observers(doc, holders)
    new = BindingDoc(old.client_id(), observers.probe(), old.guid())
    ended = observers.end()
    try:
        with _transaction(old) as before, _transaction(new) as now:
            roots: dict[str, Any] = old.roots(before)  # None where nobody has said what it is
            counterparts = [
                (root, getattr(new, f"get_or_insert_{_DECLARE[type(root)]}")(now, name))
                for name, root in roots.items()
                if type(root) in _DECLARE
            ]
            new.apply_update(now, update)
            counterparts += [
                (old.get_or_insert_text(before, name), new.get_or_insert_text(now, name))
                for name, root in roots.items()
                if type(root) is Array  # a text is walked once, and any root can be read as one
            ]
            _rebind(holders, counterparts, before, now)
        doc._doc = new
    finally:
        for each in ended:
            each.begin_again()
        begin()
        doc._txn = running
        if running is not None:
            origin = running._origin_hash
            create = doc._doc.create_transaction_with_origin
            running._txn = doc._doc.create_transaction() if origin is None else create(origin)


@contextmanager
def _transaction(doc: Any) -> Iterator[Txn]:
    txn = doc.create_transaction()
    try:
        yield txn
        txn.commit()
    finally:
        txn.drop()


def _holders(doc: Doc[Any]) -> list[BaseType]:
    """The shared types that have been got from a document."""
    found, dicts = [], []
    for each in gc.get_referrers(doc):
        if isinstance(each, BaseType):
            found.append(each)
        elif type(each) is dict and each.get("_integrated") is not None:
            dicts.append(each)
    if dicts:
        known = {id(each) for each in dicts}
        found += [
            each
            for each in gc.get_referrers(*dicts)
            if isinstance(each, BaseType) and id(each.__dict__) in known
        ]
    return [each for each in found if each._doc is doc and each._integrated is not None]


class _Ended:
    """An observation that has ended, of a document or of a shared type."""

    def __init__(self, holder: Any, old: Subscription, method: str, callback: Callable[..., object]) -> None:
        self.holder = holder
        self.old = old
        self.method = method
        self.callback = callback

    def begin_again(self) -> None:
        holder = self.holder
        inner = holder._doc if isinstance(holder, Doc) else holder._integrated
        if isinstance(inner, _Gone):
            return
        subscription = getattr(inner, self.method)(self.callback)
        held = holder._subscriptions
        if not isinstance(held, _Subscriptions):
            held = holder._subscriptions = _Subscriptions(held)
        held.replace(self.old, subscription)


class _Subscriptions(list[Any]):
    """Those of a document or shared type, which are ended by what was given out for them at first."""

    def __init__(self, held: Iterable[Subscription]) -> None:
        super().__init__(held)
        self._successors: dict[int, Subscription] = {}

    def successor(self, old: Subscription) -> Subscription:
        return self._successors.get(id(old), old)

    def replace(self, old: Subscription, new: Subscription) -> None:
        self._successors[id(old)] = new

    def remove(self, value: Subscription) -> None:
        super().remove(value)
        if (successor := self._successors.pop(id(value), None)) is not None:
            successor.drop()


class _Observers:
    """The functions that observe a document and its shared types by pycrdt.

    pycrdt gives the binding a ``functools.partial`` for each, which nothing else holds.
    """

    def __init__(self, doc: Doc[Any], holders: list[BaseType]) -> None:
        self._doc = doc
        self._holders: list[Any] = [doc, *holders]
        functions = (observe_callback, observe_deep_callback, observe_doc_callback)
        arguments = [each for each in gc.get_referrers(doc) if type(each) is tuple]
        partials = [
            each
            for each in (gc.get_referrers(*arguments) if arguments else ())
            if type(each) is partial and each.func in functions and each.args[1] is doc
        ]
        self._found = {id(each): (weakref.ref(each), each.func, each.args) for each in partials}
        self._of_transactions: set[int] = set()
        for each in partials:
            if each.func is observe_doc_callback:  # from here on it hears nothing, and says what of
                cast("Any", each).__setstate__((self._hear, (id(each),), {}, {}))

    def _hear(self, number: int, _event: object) -> None:
        self._of_transactions.add(number)

    def start_soon(self, *_: object) -> None:
        """Do nothing for an asynchronous observer, for whom this is the task group of the document."""

    def probe(self) -> bool:
        """Whether the document keeps what is deleted, which it does not tell; it is of no use afterwards."""
        doc, inner = self._doc, self._doc._doc
        group, doc._task_group = doc._task_group, cast("Any", self)
        try:
            with _transaction(inner) as txn:
                text: Any = inner.get_or_insert_text(txn, _PROBE)
                text.insert(txn, 0, _PROBE + "?")
            with _transaction(inner) as txn:
                text.remove_range(txn, 0, len(_PROBE) + 1)
        finally:
            doc._task_group = group
        with _transaction(inner) as txn:
            return f"{_PROBE}?".encode() in inner.get_update(txn, b"\0")

    def end(self) -> list[_Ended]:
        """End them all."""
        ended = []
        for holder in self._holders:
            held = holder._subscriptions
            for subscription in held:
                (held.successor(subscription) if isinstance(held, _Subscriptions) else subscription).drop()
                gone = [number for number, (reference, *_) in self._found.items() if reference() is None]
                if not gone:
                    _log.warning("an asynchronous observer of %r has ended: attach it again", holder)
                for number in gone:
                    _, function, arguments = self._found.pop(number)
                    method = "observe_deep" if function is observe_deep_callback else "observe"
                    if function is observe_doc_callback and number not in self._of_transactions:
                        method = "observe_subdocs"
                    ended.append(_Ended(holder, subscription, method, partial(function, *arguments)))
        return ended


def _rebind(holders: list[BaseType], counterparts: Iterable[tuple[Any, Any]], before: Txn, now: Txn) -> None:
    """Give shared types what corresponds to what they had."""
    found: dict[int, object] = {}  # by the ids of holders
    wanted: dict[object, list[BaseType]] = {}
    for holder in holders:
        wanted.setdefault(_identity(holder._integrated), []).append(holder)
    queue = deque(counterparts)
    while queue and wanted:
        old, new = queue.popleft()
        found.update((id(holder), new) for holder in wanted.pop(_identity(old), ()))
        queue.extend(zip(_children(old, before), _children(new, now), strict=True))
    for holder in holders:
        holder._integrated = found.get(id(holder), _Gone())


def _identity(shared: object) -> object:
    """What two objects of the binding have in common that stand for the same shared type: where it points to.

    The binding has no other way to tell, and looking into one that was deleted can end the process.
    """
    return type(shared), string_at(id(shared) + object.__basicsize__, 16)


def _children(shared: Any, txn: Txn) -> list[object]:
    """The shared types in one."""
    found: list[Any] = []
    if isinstance(shared, Map):
        found = [cast("Any", shared).get(txn, key) for key in sorted(cast("Any", shared).keys(txn))]
    elif isinstance(shared, Array) and shared.len(txn) <= _WALKED:
        found = [shared.get(txn, at) for at in range(shared.len(txn))]
    elif isinstance(shared, XmlFragment | XmlElement):
        found = shared.children(txn)
    elif isinstance(shared, Text):
        found = [piece for piece, *_ in shared.diff(txn)]
    return [each for each in found if isinstance(each, _SHARED)]


class _Gone:
    """Stands for a shared type that is in the document no more, or in a long list within something else."""

    def __getattr__(self, name: str) -> NoReturn:
        raise RuntimeError(
            "this shared type was deleted, or is in a long list; get it from the document again"
        )
