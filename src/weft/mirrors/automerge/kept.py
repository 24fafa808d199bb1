"""Where the objects that shapes have read stand in an Automerge document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from weft._codecs.automerge.change import OpId

__all__ = ["KeptAt", "KeptObjects"]


class KeptAt(NamedTuple):
    """Where an object stands.

    Attributes:
        part: The part that reads it.
        at: Keys below the part's container.
        key: Of a string in the map at these keys, its entry; ``None`` of what is there itself.
    """

    part: Any
    at: tuple[str, ...]
    key: str | None = None


class KeptObjects:
    """The objects that a mirror hears of: 200 bytes for each row and each string in one."""

    __slots__ = ("_containers", "_groups", "_places")

    def __init__(self) -> None:
        self._places: dict[bytes, dict[int, KeptAt]] = {}  # by actor and counter
        self._groups: dict[int, dict[str | None, list[OpId]]] = {}  # by part, and by row in it
        self._containers: dict[tuple[int, tuple[str, ...]], OpId] = {}

    def place(self, made: OpId) -> KeptAt | None:
        """Where an object stands, if it is known."""
        return self._places.get(made[0], {}).get(made[1])

    def made_at(self, part: object, at: tuple[str, ...]) -> OpId | None:
        """The container that stands at keys of a part, if it is known."""
        return self._containers.get((id(part), at))

    def keep(self, made: OpId, place: KeptAt) -> None:
        """Note an object."""
        places = self._places.setdefault(made[0], {})
        if made[1] not in places:
            group = self._groups.setdefault(id(place.part), {})
            group.setdefault(place.at[0] if place.at else None, []).append(made)
        places[made[1]] = place
        if place.key is None:
            self._containers[id(place.part), place.at] = made

    def forget(self, part: object, at: tuple[str, ...]) -> None:
        """Forget what stands at the first of these keys and below, or all of a part."""
        groups = self._groups.get(id(part), {})
        if at:
            self._drop(groups.pop(at[0], ()))
            return
        self._groups.pop(id(part), None)
        for group in groups.values():
            self._drop(group)

    def drop(self, made: Iterable[OpId]) -> None:
        """Forget strings that something else stands in the place of; any other object is passed over."""
        for actor, counter in made:
            place = self._places.get(actor, {}).get(counter)
            if place is not None and place.key is not None:
                del self._places[actor][counter]

    def clear(self) -> None:
        """Forget everything."""
        self._places.clear()
        self._groups.clear()
        self._containers.clear()

    def _drop(self, group: Iterable[OpId]) -> None:
        for actor, counter in group:
            place = self._places.get(actor, {}).pop(counter, None)
            if place is not None and place.key is None:
                self._containers.pop((id(place.part), place.at), None)
