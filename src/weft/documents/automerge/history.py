"""How the operations of an Automerge document's changes are numbered, and which changes spoil that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft._codecs.automerge.chunks import MAX_COUNTER
from weft.documents.automerge.binding import contained
from weft.errors import RemoteProtocolError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from weft.documents.automerge.binding import CoreChange, CoreDocument

__all__ = ["ChangeNumbers", "sized_changes"]


def sized_changes(core: CoreDocument) -> list[tuple[bytes, int]]:
    """Every change, with the number of its operations, in an order to apply them in.

    Raises:
        RemoteProtocolError: The binding cannot tell.
    """
    with contained("read the changes"):
        return [(change.raw_bytes, 1 + change.max_op - change.start_op) for change in core.get_changes([])]


class ChangeNumbers:
    """The last operation of each change that came since; once an older one is asked for, of all."""

    __slots__ = ("_max_ops",)

    def __init__(self) -> None:
        self._max_ops: dict[bytes, int] = {}

    def add(self, change: CoreChange) -> bytes:
        """Note a change; gives its hash."""
        name = change.hash
        self._max_ops[name] = change.max_op
        return name

    def has(self, heads: Iterable[bytes]) -> bool:
        """Whether all these changes have been noted; others may be there all the same."""
        return all(head in self._max_ops for head in heads)

    def next_op(self, core: CoreDocument, heads: Sequence[bytes]) -> int:
        """Number of the first operation of a change that follows on these."""
        if not self.has(heads):
            self._learn(core)
        return 1 + max([self._max_ops[head] for head in heads], default=0)

    def check(self, core: CoreDocument, changes: Sequence[CoreChange], before: Iterable[bytes]) -> None:
        """Refuse changes that the binding takes in, but with which a saved document cannot be loaded.

        The binding keeps operations, not changes, and rebuilds these when asked. One that was not written the
        way the binding writes it comes back with another hash, and then loading ends in "mismatching heads".
        So does a change whose operations are numbered as if it did not follow on its dependencies.

        Args:
            core: The document, which has the changes.
            changes: What is new in it, in an order to apply it in.
            before: The heads it had without them.

        Raises:
            RemoteProtocolError: One of the changes is such a one.
        """
        max_ops: dict[bytes, int] = {}
        after = core.get_heads()
        named = set(after)
        for change in changes:
            deps = change.deps
            named.update(deps)
            if not all(dep in max_ops or dep in self._max_ops for dep in deps):
                self._learn(core)
            floor = max([max_ops.get(dep) or self._max_ops.get(dep, 0) for dep in deps], default=0)
            if change.start_op <= floor:
                raise RemoteProtocolError("a change is numbered as if it did not follow on its dependencies")
            if change.max_op > MAX_COUNTER:
                raise RemoteProtocolError("the operations of a change are numbered too high")
            max_ops[change.hash] = change.max_op
        if not named.issuperset(max_ops) or not max_ops.keys() >= set(after).difference(before):
            raise RemoteProtocolError("a change is not written the way Automerge writes it")

    def waiting(
        self, core: CoreDocument, changes: Iterable[CoreChange], received: Mapping[bytes, Sequence[bytes]]
    ) -> frozenset[bytes]:
        """Which of the changes that were received wait for others that have not come.

        Args:
            core: The document, which was given them.
            changes: What is new in it.
            received: Hashes of what was received, each with what it follows on; nothing where that came too.

        Raises:
            RemoteProtocolError: The binding has passed over one that waits for none.
        """
        new = {change.hash for change in changes}
        late = {name for name in received if name not in new and name not in self._max_ops}
        if not late:
            return frozenset()
        known = {change.hash: change.max_op for change in core.get_changes([])}
        late -= known.keys()
        if any(known.keys() >= set(received[name]) for name in late):
            raise RemoteProtocolError("the binding passes over a change")
        self._max_ops = known  # so that what is known and comes again is not looked for again
        return frozenset(late)

    def _learn(self, core: CoreDocument) -> None:
        self._max_ops = {known.hash: known.max_op for known in core.get_changes([])}
