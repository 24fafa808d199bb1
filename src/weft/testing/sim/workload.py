"""What the peers of a simulation do: the interface, and the workload used unless another is given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import random

    from weft.store import Store
    from weft.testing.sim.ledger import Ledger, Path
    from weft.testing.sim.peer import SimPeer
    from weft.values import Cell

__all__ = ["DERIVED", "SOURCE", "TablesWorkload", "Workload", "derive", "read_stamp", "stamp"]

SOURCE = "c0"
DERIVED = "derived"
_LIMIT = 100  # writes of one edit; its numbers start at 100 times its index


class Workload(Protocol):
    """What a user puts in the place of :class:`TablesWorkload`."""

    def prepare(self, peer: SimPeer) -> None:
        """Make a peer's new Store ready, before its mirror starts: listeners, schema.

        Called each time the peer starts, so after each crash too.
        """

    def edit(self, peer: SimPeer, edit: Edit) -> None:
        """Do one edit on ``peer.store``; exceptions count as a failure of the run."""


@dataclass(slots=True)
class Edit:
    """One edit about to be made.

    Attributes:
        random: The only source of chance an edit may use.
        first: Its first number; ``first + 99`` is its last.
    """

    random: random.Random
    first: int
    _life: tuple[str, int]
    _ledger: Ledger
    _taken: int = 0

    def number(self) -> int:
        """A number no other write of the run has; put it into the value, so that its origin can be told."""
        if self._taken >= _LIMIT:
            raise ValueError(f"one edit has {_LIMIT} numbers")
        self._taken += 1
        return self.first + self._taken - 1

    def wrote(self, path: Path, number: int = 0, *, unique: bool = False) -> None:
        """Enter into the ledger what has been committed.

        Args:
            path: ``(table_id, row_id, cell_id)`` or ``(value_id,)``.
            number: The number in the value; 0 for a deletion.
            unique: Promise that nobody else writes or deletes there and that the row and table are never
                removed; in return a loss is a failure of the run.
        """
        self._ledger.wrote(self._life, path, number, unique=unique)


def stamp(name: str, number: int, rng: random.Random) -> Cell:
    """A cell of a random type that tells who wrote it."""
    match rng.randrange(6):
        case 0:
            return f"{name}.{number}"
        case 1:
            return [name, number]
        case 2:
            return {"by": name, "n": [number, None, True]}
        case 3:
            return f"\u00e9\U0001f600{name}.{number}"
        case 4:
            return number + 0.5
        case _:
            return number


def read_stamp(value: object) -> int | None:
    """The number in a stamped cell, or ``None`` if it is not one."""
    match value:
        case bool():
            return None
        case int():
            return value
        case float():
            return int(value - 0.5) if value % 1 == 0.5 else None
        case str():
            _, dot, number = value.rpartition(".")
            return int(number) if dot and number.isascii() and number.isdigit() else None
        case [str(), int(number)]:
            return number
        case {"by": str(), "n": [int(number), None, True]}:
            return number
    return None


def derive(value: object) -> Cell:
    """What the listeners of deriving peers make of a source cell."""
    return ["derived", value]


class TablesWorkload:
    """Collisions on a small set of ids, unique cells, removed and re-created tables, derived cells.

    * Tables ``t0`` and ``t1``: cells ``c0`` to ``c2`` of rows ``r0`` to ``r3`` are written and deleted by
      everybody. Unique cells ``u<peer>.<number>`` stand in the same rows. Rows and tables are never removed
      there (a row whose last cell is deleted is emptied, not removed), so no unique cell may ever be missing.
    * Table ``e0``: cell ``c0`` of rows ``r0`` to ``r7`` comes and goes, which empties the row unless somebody
      has put a unique cell there.
    * Tables ``d0`` and ``d1``: everything, rows and tables too, is removed and re-created.
    * Table ``f0``: peers that derive keep cell ``derived`` equal to :func:`derive` of cell ``c0``, by a
      listener that hears local and remote changes alike.
    * Values ``v0`` to ``v2`` collide, ``u<peer>.<number>`` are unique.
    * Transactions are nested, and some are rolled back.

    Args:
        derivers: How many peers derive.
    """

    def __init__(self, derivers: int = 0) -> None:
        self._derivers = derivers

    def prepare(self, peer: SimPeer) -> None:
        """Have a peer derive, if it is one that does."""
        if self.derives(peer):
            for cell_id in (SOURCE, DERIVED):
                peer.store.add_cell_listener("f0", None, cell_id, _derive, True)

    def derives(self, peer: SimPeer) -> bool:
        """Whether the peer derives cells."""
        return peer.index < self._derivers

    def edit(self, peer: SimPeer, edit: Edit) -> None:
        """Do one random edit."""
        rng = edit.random
        match rng.randrange(18):
            case 0 | 1 | 2:
                self._collide(peer, edit)
            case 16 | 17:
                self._empty(peer, edit)
            case 3 | 4 | 5:
                self._unique(peer, edit)
            case 6:
                table_id, row_id, cell_id = _lasting(rng)
                peer.store.del_cell(table_id, row_id, cell_id)
                edit.wrote((table_id, row_id, cell_id))
            case 7 | 8:
                self._removable(peer, edit)
            case 9:
                row_id = f"r{rng.randrange(3)}"
                if rng.random() < 0.7:
                    _set(peer, edit, ("f0", row_id, SOURCE))
                else:
                    peer.store.del_cell("f0", row_id, SOURCE)
                    edit.wrote(("f0", row_id, SOURCE))
            case 10:
                _set(peer, edit, (f"u{peer.name}.{edit.first}",), unique=True)
            case 11:
                value_id = f"v{rng.randrange(3)}"
                if rng.random() < 0.7:
                    _set(peer, edit, (value_id,))
                else:
                    peer.store.del_value(value_id)
                    edit.wrote((value_id,))
            case 12 | 13:
                with peer.store.transaction():
                    for _ in range(rng.randint(1, 5)):
                        rng.choice((self._collide, self._unique, self._removable))(peer, edit)
            case 14:
                self._nested(peer, edit)
            case _:
                self._rolled_back(peer, edit)

    def _collide(self, peer: SimPeer, edit: Edit) -> None:
        _set(peer, edit, _lasting(edit.random))

    def _unique(self, peer: SimPeer, edit: Edit) -> None:
        table_id, row_id, _ = _lasting(edit.random)
        if edit.random.random() < 0.3:
            table_id, row_id = "e0", f"r{edit.random.randrange(8)}"
        number = edit.number()
        path = (table_id, row_id, f"u{peer.name}.{number}")
        peer.store.set_cell(*path, stamp(peer.name, number, edit.random))
        edit.wrote(path, number, unique=True)

    def _empty(self, peer: SimPeer, edit: Edit) -> None:
        path = ("e0", f"r{edit.random.randrange(8)}", "c0")
        if peer.store.has_cell(*path):
            peer.store.del_cell(*path)
            edit.wrote(path)
        else:
            _set(peer, edit, path)

    def _removable(self, peer: SimPeer, edit: Edit) -> None:
        rng, store = edit.random, peer.store
        table_id, row_id = f"d{rng.randrange(2)}", f"r{rng.randrange(3)}"
        match rng.randrange(7):
            case 0 | 1:
                _set(peer, edit, (table_id, row_id, f"c{rng.randrange(3)}"))
            case 2:
                store.del_row(table_id, row_id)
            case 3:
                store.del_table(table_id)
            case 4:
                store.set_row(table_id, row_id, _row(peer, edit, table_id, row_id))
            case 5:
                store.set_table(
                    table_id,
                    {row: _row(peer, edit, table_id, row) for row in rng.sample(["r0", "r1", "r2"], 2)},
                )
            case _:
                store.del_cell(table_id, row_id, f"c{rng.randrange(3)}")

    def _nested(self, peer: SimPeer, edit: Edit) -> None:
        store = peer.store
        with store.transaction():
            self._unique(peer, edit)
            with store.transaction():
                self._collide(peer, edit)
                with store.transaction():
                    self._removable(peer, edit)
            self._unique(peer, edit)

    def _rolled_back(self, peer: SimPeer, edit: Edit) -> None:
        """Nothing of this may ever be seen anywhere, so none of it goes into the ledger."""
        store, rng = peer.store, edit.random
        before = store.get_content()

        def write() -> None:
            table_id, row_id, cell_id = _lasting(rng)
            store.set_cell(table_id, row_id, cell_id, stamp(peer.name, edit.number(), rng))
            store.set_value("v0", stamp(peer.name, edit.number(), rng))
            store.del_table("d0")
            store.set_row("d1", "r0", {"c0": stamp(peer.name, edit.number(), rng)})

        if rng.random() < 0.5:
            store.transaction(write, lambda _store: True)
        else:
            try:
                with store.transaction():
                    write()
                    raise _RollBackError
            except _RollBackError:
                pass
        if store.get_content() != before:
            raise AssertionError("a transaction that was rolled back has left something behind")


class _RollBackError(Exception):
    """Rolls a transaction back."""


def _derive(store: Store, table_id: str, row_id: str, *_: object) -> None:
    source = store.get_cell(table_id, row_id, SOURCE)
    if source is None:
        store.del_cell(table_id, row_id, DERIVED)
    else:
        store.set_cell(table_id, row_id, DERIVED, derive(source))


def _lasting(rng: random.Random) -> tuple[str, str, str]:
    return f"t{rng.randrange(2)}", f"r{rng.randrange(4)}", f"c{rng.randrange(3)}"


def _set(peer: SimPeer, edit: Edit, path: Path, *, unique: bool = False) -> None:
    number = edit.number()
    value = stamp(peer.name, number, edit.random)
    if len(path) == 1:
        peer.store.set_value(path[0], value)
    else:
        table_id, row_id, cell_id = path
        peer.store.set_cell(table_id, row_id, cell_id, value)
    edit.wrote(path, number, unique=unique)


def _row(peer: SimPeer, edit: Edit, table_id: str, row_id: str) -> dict[str, Cell]:
    row: dict[str, Cell] = {}
    for cell_id in edit.random.sample(["c0", "c1", "c2"], edit.random.randint(1, 3)):
        number = edit.number()
        row[cell_id] = stamp(peer.name, number, edit.random)
        edit.wrote((table_id, row_id, cell_id), number)
    return row
