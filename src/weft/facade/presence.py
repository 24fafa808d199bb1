"""Who else is here, and what they say of themselves: one form over awareness and automerge-repo's presence.

States are dictionaries that JSON can say. The entries ``user`` (``{"name": …, "color": …}``) and ``cursor``
are those that y-protocols' clients know; what a cursor is, each application says: here it is a place in a
table, ``{"table": …, "row": …, "cell": …}``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

from weft._support.arguments import wrong_kind
from weft._support.callbacks import subscribe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Cursor", "MyState", "PeerListener", "Peers", "Presence"]

State: TypeAlias = Mapping[str, Any]
PeerListener: TypeAlias = "Callable[[str, Mapping[str, Any]], object]"
"""Called with a peer's id and its state; of one who has left with the last one."""

_CURSOR = "cursor"


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where somebody is.

    Attributes:
        table: The table.
        row: The row; ``None`` for the table as a whole.
        cell: The cell; ``None`` for the row as a whole.
    """

    table: str
    row: str | None = None
    cell: str | None = None

    @classmethod
    def of(cls, state: State) -> Cursor | None:
        """Read a peer's cursor; ``None`` where it has none, or says something else by the name."""
        match state.get(_CURSOR):
            case {"table": str(table), **more}:
                row, cell = more.get("row"), more.get("cell")
                if isinstance(row, str | None) and isinstance(cell, str | None):
                    return cls(table, row, cell)
        return None


class Peers(ABC):
    """The way to the others: what a protocol has for it."""

    @property
    @abstractmethod
    def own_id(self) -> str:
        """One's own id, as the others see it."""

    @abstractmethod
    def own(self) -> State:
        """One's own state; empty where nothing was told."""

    @abstractmethod
    def others(self) -> dict[str, State]:
        """The states of the others, by their ids."""

    @abstractmethod
    def tell(self, state: State) -> None:
        """Make this one's own state, and tell the others what is new of it."""

    @abstractmethod
    def listen(self, heard: Callable[[str, State | None], None]) -> Callable[[], None]:
        """Call ``heard(id, state)`` when something is told, and with ``None`` when somebody is gone."""


class MyState(MutableMapping[str, Any]):
    """One's own state: each change of it is told to the others."""

    __slots__ = ("_peers",)

    def __init__(self, peers: Peers) -> None:
        self._peers = peers

    def __getitem__(self, name: str) -> Any:
        return self._peers.own()[name]

    def __setitem__(self, name: str, value: object) -> None:
        self._peers.tell({**self._peers.own(), name: value})

    def __delitem__(self, name: str) -> None:
        state = dict(self._peers.own())
        del state[name]
        self._peers.tell(state)

    def __iter__(self) -> Iterator[str]:
        return iter(self._peers.own())

    def __len__(self) -> int:
        return len(self._peers.own())

    def update(self, other: Any = (), /, **entries: Any) -> None:
        """Set several entries and tell them at once."""
        self._peers.tell({**self._peers.own(), **dict(other, **entries)})

    def clear(self) -> None:
        """Take everything back: the others do not see one any more."""
        self._peers.tell({})

    def __repr__(self) -> str:
        return f"{type(self).__name__}({dict(self)!r})"


class Presence:
    """Who else is here; ``store.presence``.

    ::

        store.presence.me["user"] = {"name": "Ada", "color": "#c33"}
        store.presence.set_cursor("pets", "fido", "price")
        store.presence.on_join(lambda id, state: print(state["user"]["name"], "is here"))

    It is kept nowhere, and gone with the connection.

    Args:
        peers: The way to the others.
        call: Calls a listener: ``call(listener, *args)``; takes what it raises.
    """

    def __init__(self, peers: Peers, call: Callable[..., object]) -> None:
        self._peers = peers
        self._call = call
        self._way: Callable[[Peers], Peers] = lambda peers: peers
        self._others: dict[str, State] = dict(peers.others())
        self._joined: list[PeerListener] = []
        self._left: list[PeerListener] = []
        self._changed: list[PeerListener] = []
        self._end = peers.listen(self._heard)

    @property
    def id(self) -> str:
        """One's own id, as the others see it."""
        return self._peers.own_id

    @property
    def me(self) -> MyState:
        """One's own state, as a dictionary that tells the others of each change; assign one to replace it.

        What JSON cannot say raises ``TypeError`` or ``ValueError``, and nothing is told.
        """
        return MyState(self._peers)

    @me.setter
    def me(self, state: State) -> None:
        self._peers.tell(dict(state))

    @property
    def others(self) -> Mapping[str, State]:
        """The states of the others, by their ids."""
        return MappingProxyType(dict(self._others))

    @property
    def cursors(self) -> Mapping[str, Cursor]:
        """Where the others are, by their ids: those who say it."""
        found = ((peer_id, Cursor.of(state)) for peer_id, state in dict(self._others).items())
        return {peer_id: cursor for peer_id, cursor in found if cursor is not None}

    def set_cursor(self, table_id: str, row_id: str | None = None, cell_id: str | None = None) -> None:
        """Tell the others which table, row or cell one is at.

        Raises:
            TypeError: An id is no text. Nothing is told.
        """
        given = {"table": table_id, "row": row_id, "cell": cell_id}
        cursor = {name: id_ for name, id_ in given.items() if id_ is not None}
        for id_ in cursor.values() or [table_id]:
            if not isinstance(id_, str):
                raise wrong_kind("an id, as str,", id_)
        self.me[_CURSOR] = cursor

    def clear_cursor(self) -> None:
        """Tell the others that one is nowhere in particular."""
        self.me[_CURSOR] = None

    def on_join(self, listener: PeerListener) -> Callable[[], None]:
        """Call ``listener(id, state)`` when somebody comes. Returns a function that ends it."""
        return subscribe(self._joined, listener)

    def on_leave(self, listener: PeerListener) -> Callable[[], None]:
        """Call ``listener(id, state)`` when somebody is gone, with the last state. Likewise."""
        return subscribe(self._left, listener)

    def on_change(self, listener: PeerListener) -> Callable[[], None]:
        """Call ``listener(id, state)`` when somebody who is here tells another state. Likewise."""
        return subscribe(self._changed, listener)

    def reached_by(self, way: Callable[[Peers], Peers]) -> None:
        """Tell one's own state another way: for who uses it from other threads."""
        self._way = way
        self._peers = way(self._peers)

    def move(self, peers: Peers) -> None:
        """Go on by other peers, under another id, with the state that one had."""
        own = dict(self._peers.own())
        self._end()
        self._peers = self._way(peers)
        self._end = peers.listen(self._heard)
        for peer_id in [peer_id for peer_id in self._others if peer_id not in peers.others()]:
            self._heard(peer_id, None)
        if own:
            peers.tell(own)

    def close(self) -> None:
        """Listen no longer."""
        self._end()

    def _heard(self, peer_id: str, state: State | None) -> None:
        before = self._others.get(peer_id)
        if state is None:
            if before is None:
                return
            del self._others[peer_id]
            listeners, said = self._left, before
        else:
            if state == before:
                return  # renewed, so that it is not forgotten
            self._others[peer_id] = said = state
            listeners = self._joined if before is None else self._changed
        for listener in tuple(listeners):
            self._call(listener, peer_id, said)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id} and {len(self._others)} others>"
