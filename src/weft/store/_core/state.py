"""What a Store holds, and which of its paths a write takes.

The Store is one class in a chain, one duty per link: state, reading, listening, notifying,
transactions, validation, writing. A chain and not collaborating objects, because a write is a handful
of dictionary operations and must not pay for a delegation.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, TypeVar

from weft._support.callbacks import weakly
from weft._support.owner import FREE, Hold, Loop, Owner, running_loop
from weft.errors import ReadOnlyError, WrongTaskError
from weft.store._parts.context_mark import ContextMark, context_mark, is_current
from weft.store._parts.encoding import encoder
from weft.store._parts.listener_tree import ListenerTree
from weft.store._parts.row_ids import RowIdPool
from weft.store._parts.shared_keys import SharedKeys
from weft.store._parts.unique_ids import UniqueIds
from weft.values import UNDEFINED, encode_cell

if TYPE_CHECKING:
    from collections.abc import Callable

    from weft.changes import StoredTables, StoredValues
    from weft.store._parts.gate import WriteGate
    from weft.store._parts.listener_tree import Interest
    from weft.store._parts.log import Entry, Touched, TouchedValues
    from weft.store._parts.schema_effects import SchemaEffect
    from weft.store._parts.schema_rules import CellRule, TableRule
    from weft.store._parts.texts import Texts
    from weft.values import Cell, Stored, Undefined

__all__ = [
    "DIRECT", "GENERAL", "GUARDED", "LOCKED", "LOGGED", "PATHS", "WATCHED", "RowIds", "StoreState",
]  # fmt: skip

R = TypeVar("R")

RowIds: TypeAlias = "Literal['auto', 'counter', 'unique'] | Callable[[], str]"

# The paths of a write to one cell, held in ``_mode`` so that the hot methods branch once.
DIRECT: Final = 0  # idle, and nobody to ask or to tell: only the dictionaries change
LOGGED: Final = 1  # in a transaction that may write: the dictionaries and the log
WATCHED: Final = 2  # idle, with listeners that only look: change, then tell them
GENERAL: Final = 3  # schema, middleware, mutators, or a Store that is locked
GUARDED: Final = 4  # added to one of them: first see who writes, as it is one thread's, or one task's
PATHS: Final = 3  # the bits without that

LOCKED: Final = -1  # depth while listeners run that may only look


class StoreState:
    """The attributes of a Store.

    Attributes:
        _tables: Table id to row id to cell id to stored form; no level is ever empty below the first.
        _values: Value id to stored form.
        _counts: Table id to cell id to the number of rows that have it, in order of appearance.
        _pools: Table id to the pool of row ids for ``add_row``; made when first needed.
        _row_ids: As given: which ids ``add_row`` gives.
        _make_row_id: Makes them; ``None`` where they are counted.
        _depth: Nesting of open transactions; 0 when idle, :data:`LOCKED` while listeners look.
        _log: The running transaction's events (see ``log.py``), or ``None`` where nobody needs them.
        _owner: Whose the Store is, once something was attached to it; ``_thread`` is its thread.
        _opener: The task in which the open transaction began, where another's writes have to be refused.
        _mark: What :func:`present_mark` is in that task. From the next turn of the event loop on it is a
            mark that nobody has, so that every write is looked at closely: the task may have made others.
        _turn: The event loop whose next turn is waited for.
    """

    __slots__ = (
        "__weakref__",
        "_checkpoints",
        "_counts",
        "_decode",
        "_depth",
        "_did_finish_listeners",
        "_encode",
        "_end_hooks",
        "_error_handler",
        "_finishing",
        "_had_tables",
        "_had_values",
        "_idle_mode",
        "_interest",
        "_interest_size",
        "_invalid_cells",
        "_invalid_values",
        "_kept",
        "_listener_ids",
        "_listeners",
        "_locked_mode",
        "_log",
        "_make_row_id",
        "_mark",
        "_middleware",
        "_mode",
        "_mutators",
        "_open_mode",
        "_opener",
        "_orders_logged",
        "_origin",
        "_owner",
        "_pools",
        "_raising",
        "_receive_hooks",
        "_receiving",
        "_rollback_hooks",
        "_rollback_requested",
        "_row_ids",
        "_schema",
        "_schema_effects",
        "_shared_keys",
        "_start_listeners",
        "_structural",
        "_structural_cells",
        "_tables",
        "_texts",
        "_thread",
        "_touched",
        "_touched_to",
        "_touched_values",
        "_turn",
        "_undoable",
        "_values",
        "_values_schema",
        "_watched_rows",
        "_watchers",
        "_will_finish_listeners",
    )

    def __init__(
        self,
        *,
        on_invalid: Literal["raise", "ignore"] = "raise",
        row_ids: RowIds = "auto",
        encode: Callable[[Any], Cell] | None = None,
    ) -> None:
        if on_invalid not in {"raise", "ignore"}:
            raise ValueError(f'on_invalid must be "raise" or "ignore", not {on_invalid!r}')
        if not callable(row_ids) and row_ids not in {"auto", "counter", "unique"}:
            raise ValueError(f'row_ids must be "auto", "counter", "unique" or a function, not {row_ids!r}')
        self._row_ids: RowIds = row_ids
        self._make_row_id: Callable[[], str] | None = None
        if row_ids == "unique":
            self._make_row_id = UniqueIds()
        elif callable(row_ids):
            self._make_row_id = row_ids
        self._raising = on_invalid == "raise"
        self._receiving = False
        self._tables: StoredTables = {}
        self._values: StoredValues = {}
        self._counts: dict[str, dict[str, int]] = {}
        self._pools: dict[str, RowIdPool] = {}
        self._shared_keys = SharedKeys()
        self._schema: dict[str, TableRule] | None = None
        self._values_schema: dict[str, CellRule] | None = None
        self._schema_effects: list[SchemaEffect] = []  # of the running transaction
        self._middleware: WriteGate | None = None
        self._texts: Texts | None = None  # made when first asked for
        self._checkpoints: object = None  # of checkpoints.py, which makes one for a Store
        self._encode = encode
        self._decode: Callable[[object], Stored] = encode_cell if encode is None else encoder(encode)

        self._listeners = ListenerTree()
        self._mutators = ListenerTree()
        self._start_listeners: dict[str, Callable[..., object]] = {}
        self._will_finish_listeners: dict[str, Callable[..., object]] = {}
        self._did_finish_listeners: dict[str, Callable[..., object]] = {}
        self._listener_ids = RowIdPool()
        self._watchers: dict[str, Any] = {}
        self._end_hooks: list[Callable[[], object]] = []
        self._rollback_hooks: list[Callable[[int], object]] = []
        self._receive_hooks: list[Callable[..., object]] = []
        self._kept: dict[str, int] = {}  # how many keep it, by kind; "warned" where both did
        self._error_handler: Callable[[Exception], object] | None = None

        self._depth = 0
        self._mode: int = DIRECT
        self._idle_mode: int = DIRECT
        self._open_mode: int = LOGGED
        self._locked_mode: int = GENERAL
        self._owner: Owner | None = None
        self._thread = FREE
        self._opener: ContextMark | None = None
        self._mark: object = None
        self._turn: Loop | None = None
        self._interest: Interest = {}
        self._interest_size = 0
        self._watched_rows: set[str] | None = set()
        self._structural = False
        self._structural_cells = False
        self._log: list[Entry] | None = None
        self._undoable = False
        self._orders_logged: set[int] = set()
        self._finishing = False
        self._rollback_requested = False
        self._origin: object = None
        self._had_tables = False
        self._had_values = False
        self._touched: Touched = {}
        self._touched_values: TouchedValues = {}
        self._touched_to = 0
        self._invalid_cells: dict[str | None, dict[str | None, dict[str | None, list[object]]]] = {}
        self._invalid_values: dict[str | None, list[object]] = {}

    def _known_texts(self) -> Texts:
        """What is known of texts, made when it is first asked for: most Stores have none."""
        if self._texts is None:
            from weft.store._parts.texts import Texts  # noqa: PLC0415

            self._texts = Texts()
        return self._texts

    def _stored(self, place: tuple[str, str, str]) -> Stored | Undefined:
        """Give the cell at table, row and cell id in its stored form."""
        return self._tables.get(place[0], {}).get(place[1], {}).get(place[2], UNDEFINED)

    def _share_row_ids(self) -> None:
        """Give unique ids to rows from now on, unless told otherwise: other peers add rows as well."""
        if self._row_ids == "auto" and self._make_row_id is None:
            self._make_row_id = UniqueIds()

    def _choose_write_path(self) -> None:
        """Choose the paths of writes anew, after listeners or middleware changed."""
        if (
            self._middleware is not None
            or self._start_listeners
            or self._will_finish_listeners
            or self._mutators
        ):
            self._idle_mode = GENERAL
        elif self._watchers:
            self._idle_mode = WATCHED
        else:
            self._idle_mode = DIRECT
        guard = GUARDED if self._thread else 0
        self._idle_mode |= guard
        self._open_mode = (LOGGED if self._middleware is None else GENERAL) | guard
        self._locked_mode = GENERAL | guard
        self._structural = self._listeners.wants_ids()
        self._structural_cells = bool(self._listeners.cell_ids or self._listeners.has_cell)
        self._enter_mode()

    def _enter_mode(self) -> None:
        """Take the path that the depth asks for."""
        if self._depth == 0:
            self._mode = self._idle_mode
        elif self._depth < 0:
            self._mode = self._locked_mode
        else:
            self._mode = self._open_mode if self._opener is None else self._open_mode | GUARDED

    # Whose the Store is.

    def _hold(self) -> Hold:
        """Make the Store the calling thread's, until the hold is dropped: what keeps it equal asks for it.

        Raises:
            WrongThreadError: It is another thread's, or another process's.
            DocumentClosedError: The document that it is mirrored in was closed.
        """
        if self._owner is None:
            self._owner = Owner("the Store", weakly(self._moved))
        return self._owner.hold()

    def _moved(self, thread: int) -> None:
        self._thread = thread
        if thread == FREE:
            self._owner = None  # a fork leaves such a Store alone
        self._choose_write_path()

    def _check_writer(self) -> None:
        """Let only those write to whom the Store, and the open transaction, belongs.

        Raises:
            WrongThreadError: Called in another thread, or process.
            WrongTaskError: Called in another task than the one that holds a transaction across an ``await``.
            DocumentClosedError: The document that it is mirrored in was closed.
        """
        self._check_thread()
        if self._opener is not None and not is_current(self._opener):
            raise WrongTaskError("the Store", f"{self._origin!r:.100}", _caller())

    def _check_thread(self) -> None:
        """The first part of it."""
        if self._owner is not None:
            self._owner.check()

    def _guard_transaction(self) -> None:
        """Have the outermost transaction, just opened, refuse the writes of other tasks, where there are any.

        Tasks that are ready to run have other marks. Those that this one makes get a copy of its mark, but
        before they run the event loop comes to its next turn, and finds the transaction still open.
        """
        if self._turn is None or not self._turn.is_running():  # to ask for the running one takes longer
            self._turn = loop = running_loop()
            if loop is None:
                return
            loop.call_soon(self._next_turn)
        self._mark = self._opener = context_mark()
        self._mode |= GUARDED

    def _next_turn(self) -> None:
        self._turn = None
        if self._opener is not None:
            self._mark = _OTHER

    def _on_transaction_end(self, hook: Callable[[], object]) -> Callable[[], None]:
        """Call ``hook()`` when an outermost transaction is over, committed or rolled back.

        It may write; it must not raise.

        Returns:
            A function that ends this.
        """
        self._end_hooks.append(hook)
        return lambda: self._end_hooks.remove(hook)

    def _run_owned(self, function: Callable[..., R], *args: object) -> R:
        """Call a function where the Store's listeners run: here."""
        return function(*args)

    def _called_as_asked(self, listener: Callable[..., object]) -> Callable[..., object]:
        """A listener to something beside the Store's data, called where the Store's are: at once."""
        return listener

    def _refuse_write(self) -> None:
        """Answer a write of a listener that may only look."""
        if self._raising:
            raise ReadOnlyError(
                "a listener may write only if it was added as a mutator, or listens to the start or the "
                "coming end of a transaction"
            )


_OTHER = object()  # a mark that no context has


def _caller() -> str:
    """The running task or, without one, thread, as errors call it."""
    loop, asyncio = running_loop(), sys.modules.get("asyncio")
    if loop is not None and asyncio is not None:
        task = asyncio.current_task(loop)
        return "a callback of the event loop" if task is None else f"task {task.get_name()!r}"
    threading = sys.modules.get("threading")
    return "another thread" if threading is None else f"thread {threading.current_thread().name!r}"
