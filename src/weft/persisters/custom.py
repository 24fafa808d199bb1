"""Persisters made of four functions."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Generic, TypeVar, Unpack

from weft._support.arguments import wrong_kind
from weft.errors import StorageError, WeftError
from weft.persisters._core.mergeable_journal import MergeableJournal, is_mergeable_form
from weft.persisters._core.persister import Persister
from weft.persisters._core.unsaved import keep_not_loaded, merge

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from weft.documents.mergeable import MergeableChanges, MergeableContent
    from weft.persisters._core.engine import TinyBaseOptions
    from weft.persisters._core.unsaved import RawContent, StoredChanges, StoredContent
    from weft.store import Store

__all__ = ["CustomPersister", "create_custom_persister"]

H = TypeVar("H")
T = TypeVar("T")


async def _called(function: Callable[..., Awaitable[T] | T], *args: object) -> T:
    """Call a function of the user's, plain or a coroutine function; map what it raises."""
    try:
        result = function(*args)
        if inspect.isawaitable(result):
            return await result
    except WeftError:
        raise
    except Exception as error:
        name = getattr(function, "__name__", repr(function))
        raise StorageError(f"{name} failed: {error!r}") from error
    return result


class CustomPersister(Persister, Generic[H]):
    """A persister made of four functions, each plain or a coroutine function.

    Args:
        store: The Store.
        get_persisted: Gives ``(tables, values)``, or ``None`` where nothing is stored.
        set_persisted: Called as ``set_persisted(get_content, changes)``. Store what ``get_content()`` gives;
            or, where ``changes`` is not ``None`` and that is cheaper, only ``changes``: a triple
            ``(tables, values, 1)`` with ``UNDEFINED`` for what is to go. Lists and objects come in their
            stored form, a ``str``, which ``get_persisted`` may give back as it is.
        add_persister_listener: Called with ``listener``. Have ``listener()`` called when others changed the
            place; or ``listener(content)``, or ``listener(None, changes)``. Returns a handle.
        del_persister_listener: Called with that handle.
        on_error: Called with what automatic work could not do.

    For a ``MergeableStore`` content and changes are of the mergeable form, as TinyBase's: lists of stamps,
    with hashes. :func:`weft.mergeable.to_json` and :func:`weft.mergeable.from_json` are its text.

    Its operations raise :class:`weft.errors.StorageError` where a function raised: that is the cause.
    """

    keeps_mergeable = True

    def __init__(
        self,
        store: Store,
        get_persisted: Callable[
            [], Awaitable[RawContent | MergeableContent | None] | RawContent | MergeableContent | None
        ],
        set_persisted: Callable[[Callable[[], StoredContent], StoredChanges | None], Awaitable[None] | None]
        | Callable[[Callable[[], MergeableContent], MergeableChanges | None], Awaitable[None] | None],
        add_persister_listener: Callable[[Callable[..., None]], Awaitable[H] | H],
        del_persister_listener: Callable[[H], Awaitable[None] | None],
        *,
        on_error: Callable[[Exception], object] | None = None,
        **tinybase: Unpack[TinyBaseOptions],
    ) -> None:
        for function in (get_persisted, set_persisted, add_persister_listener, del_persister_listener):
            if not callable(function):
                raise wrong_kind("a function", function)
        super().__init__(store, on_error=on_error, **tinybase)
        self._get = get_persisted
        self._set = set_persisted
        self._add = add_persister_listener
        self._del = del_persister_listener

    async def read(self) -> RawContent | None:
        """Call ``get_persisted``."""
        content: Any = await _called(self._get)
        if isinstance(self._journal, MergeableJournal) and is_mergeable_form(content):
            return content  # type: ignore[no-any-return] # the journal checks it
        return checked(content)

    async def write(
        self, get_content: Callable[[], StoredContent], changes: StoredChanges | None = None
    ) -> None:
        """Call ``set_persisted``, with content that lacks nothing the place has and was never loaded."""
        if isinstance(self._journal, MergeableJournal):
            if changes is None or not self._covers:
                await self._join(self._journal, mends=changes is None)
            await _called(self._set, get_content, changes)
            return
        if changes is None and self._journal.not_loaded:
            there = await self.read()
            if there is not None:
                kept = get_content()
                keep_not_loaded(kept, there, self._journal.not_loaded)
                await _called(self._set, lambda: kept, None)
                return
        if changes is not None and (not self._covers or self._journal.not_loaded):
            there = await self.read()
            if there is not None:
                content: Any = (
                    {
                        table: {row: dict(cells) for row, cells in rows.items()}
                        for table, rows in there[0].items()
                    },
                    dict(there[1]),
                )
                merge(content, changes)
                self._lost_sight()
                await _called(self._set, lambda: content, changes)
                return
        await _called(self._set, get_content, changes)

    async def _join(self, journal: MergeableJournal, *, mends: bool) -> None:
        try:
            there = await self.read()
            await journal.settled()  # a transaction may have begun meanwhile
            if there is not None:
                journal.join(there)
        except StorageError:
            if not mends:
                raise
        self._covers = True

    async def watch(self, listener: Callable[..., None]) -> object:
        """Call ``add_persister_listener``."""
        return (await _called(self._add, listener),)  # a handle may be None, and is given back all the same

    async def unwatch(self, handle: tuple[H]) -> None:
        """Call ``del_persister_listener``."""
        await _called(self._del, handle[0])


def checked(content: object) -> RawContent | None:
    """Refuse what is not content.

    Raises:
        StorageError: It is neither ``None`` nor a pair of mappings.
    """
    if content is None:
        return None
    if (
        isinstance(content, (tuple, list))
        and len(content) >= 2
        and isinstance(content[0], dict)
        and isinstance(content[1], dict)
    ):
        return content[0], content[1]
    if is_mergeable_form(content):
        raise StorageError("the content of a mergeable Store: load it into a weft.mergeable.MergeableStore")
    raise StorageError(f"not content, which is (tables, values): {str(content)[:100]}")


create_custom_persister = CustomPersister
"""TinyBase's name."""
