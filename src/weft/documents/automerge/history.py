"""How the operations of an Automerge document's changes are numbered, and which changes spoil that."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from weft._codecs.automerge.chunks import MAX_COUNTER, MAX_LEAP
from weft.documents.automerge.binding import contained
from weft.errors import RemoteProtocolError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from weft._codecs.automerge.change import Decoded
    from weft.documents.automerge.binding import CoreChange, CoreDocument

__all__ = ["ChangeNumbers", "MadeChange", "sized_changes"]


def sized_changes(core: CoreDocument) -> list[tuple[bytes, int]]:
    """Every change, with the number of its operations, in an order to apply them in.

    Raises:
        RemoteProtocolError: The binding cannot tell.
    """
    with contained("read the changes"):
        return [(change.raw_bytes, 1 + change.max_op - change.start_op) for change in core.get_changes([])]


class MadeChange(NamedTuple):
    """What is noted of a change that was made by hand, named as the binding names it."""

    hash: bytes
    actor_id: bytes
    seq: int
    start_op: int
    max_op: int


class ChangeNumbers:
    """The last operation of each change that came since, and of each actor; once asked for more, of all."""

    __slots__ = ("_count", "_end", "_last", "_max_ops", "added", "is_whole")

    def __init__(self) -> None:
        self._max_ops: dict[bytes, int] = {}
        self._last: dict[bytes, tuple[int, int]] = {}  # number and end of each actor's last change
        self.added: list[bytes] = []  # hashes, in an order to apply them in; since it is whole
        self.is_whole = False  # whether it is of all
        self._count = self._end = 0  # operations, and the number of the last one; since it is whole

    def add(self, change: CoreChange | MadeChange) -> bytes:
        """Note a change; gives its hash."""
        name = change.hash
        self._max_ops[name] = change.max_op
        self.added.append(name)
        self._last[change.actor_id] = change.seq, change.max_op
        self._count += 1 + change.max_op - change.start_op
        self._end = max(self._end, change.max_op)
        return name

    def has(self, heads: Iterable[bytes]) -> bool:
        """Whether all these changes have been noted; others may be there all the same."""
        return all(head in self._max_ops for head in heads)

    def learn(self, core: CoreDocument) -> None:
        """Note every change of a document, once; what comes after is added.

        Raises:
            RemoteProtocolError: The binding cannot tell.
        """
        if not self.is_whole:
            self._count = 0
            with contained("read the changes"):
                for change in core.get_changes([]):
                    self.add(change)
            self.added.clear()
            self.is_whole = True

    def next_op(self, core: CoreDocument, heads: Sequence[bytes]) -> int:
        """Number of the first operation of a change that follows on these."""
        if not self.has(heads):
            self.learn(core)
        return 1 + max([self._max_ops[head] for head in heads], default=0)

    def sort(self, received: Mapping[bytes, Decoded]) -> tuple[dict[bytes, str], frozenset[bytes]]:
        """Tell which changes the document must not be given, and which wait for others.

        The binding takes in operations that are numbered as if their change did not follow on its
        dependencies or its actor's last one; then it can neither read the changes nor load what it saves.
        Changes that wait for others are looked at when these come.

        Args:
            received: By hash, in the order in which they came. What is known of the document is all there is.

        Returns:
            Of those that it must not be given the reason, in the order in which they would be applied; what
            follows on one is among them. And those that wait.
        """
        new = {name: change for name, change in received.items() if name not in self._max_ops}
        followers: dict[bytes, list[bytes]] = {}
        lacking: dict[bytes, int] = {}
        ready: deque[bytes] = deque()
        for name, change in new.items():
            missing = [dep for dep in set(change.deps) if dep not in self._max_ops]
            for dep in missing:
                followers.setdefault(dep, []).append(name)
            lacking[name] = len(missing)
            if not missing:
                ready.append(name)
        found: dict[bytes, str] = {}
        ends: dict[bytes, int] = {}
        last: dict[bytes, tuple[int, int]] = {}
        while ready:
            name = ready.popleft()
            change = new[name]
            if not found.keys().isdisjoint(change.deps):
                found[name] = "a change follows on one that is refused"
            elif fault := self._fault(change, change.actor, ends, last):
                found[name] = fault
            else:
                ends[name] = change.max_op
                last[change.actor] = change.seq, change.max_op
            for follower in followers.get(name, ()):
                lacking[follower] -= 1
                if not lacking[follower]:
                    ready.append(follower)
        return found, frozenset([name for name, left in lacking.items() if left])

    def check(
        self,
        core: CoreDocument,
        changes: Sequence[CoreChange],
        before: Iterable[bytes],
        *,
        may_leap: bool = False,
    ) -> None:
        """Refuse changes that the binding takes in, but with which a saved document cannot be loaded.

        The binding keeps operations, not changes, and rebuilds these when asked. One that was not written the
        way the binding writes it comes back with another hash, and then loading ends in "mismatching heads".
        So does a change that waited, or came in a saved document, whose operations are numbered wrongly.

        Args:
            core: The document, which has the changes.
            changes: What is new in it, in an order to apply it in.
            before: The heads it had without them.
            may_leap: Whether they were stored before there was a bound on the numbers that they leave out.

        Raises:
            RemoteProtocolError: One of the changes is such a one.
        """
        ends: dict[bytes, int] = {}
        last: dict[bytes, tuple[int, int]] = {}
        after = core.get_heads()
        named = set(after)
        # A change is numbered behind all that its maker knew, so a number counts operations that exist, be
        # they on their way still. Numbers that are left out are lost, and the document ends with the last.
        brought = sum([1 + change.max_op - change.start_op for change in changes])
        end = max(self._end, self._count + brought + MAX_LEAP)
        for change in changes:
            named.update(change.deps)
            if change.start_op > end + 1 and not may_leap:
                raise RemoteProtocolError(
                    f"a change is numbered from {change.start_op}, and {self._end} is the last that is here"
                )
            end = max(end, change.max_op)
            if fault := self._fault(change, change.actor_id, ends, last):
                raise RemoteProtocolError(fault)
            ends[change.hash] = change.max_op
            last[change.actor_id] = change.seq, change.max_op
        if not named.issuperset(ends) or not ends.keys() >= set(after).difference(before):
            raise RemoteProtocolError("a change is not written the way Automerge writes it")

    def waiting(
        self, changes: Iterable[CoreChange], received: Mapping[bytes, Sequence[bytes]]
    ) -> frozenset[bytes]:
        """Which of the changes that were received wait for others that have not come.

        Args:
            changes: What is new in the document, which was given them.
            received: Hashes of what was received, each with what it follows on; nothing where that came too.

        Raises:
            RemoteProtocolError: The binding has passed over one that waits for none.
        """
        late = {name for name in received if name not in self._max_ops}
        late.difference_update([change.hash for change in changes])
        if late:
            new = {change.hash for change in changes}
            if any(all(dep in new or dep in self._max_ops for dep in received[name]) for name in late):
                raise RemoteProtocolError("the binding passes over a change")
        return frozenset(late)

    def _fault(
        self,
        change: Decoded | CoreChange,
        actor: bytes,
        ends: Mapping[bytes, int],
        last: Mapping[bytes, tuple[int, int]],
    ) -> str | None:
        """What is wrong with a change's numbers, behind all that is noted and what is given beside."""
        seq, end = last.get(actor) or self._last.get(actor, (0, 0))
        if change.seq != seq + 1:
            return f"a change is number {change.seq} of its actor, of which {seq} are here"
        if change.start_op <= end:
            return "a change is numbered as if it did not follow on its actor's last one"
        behind = max([ends.get(dep) or self._max_ops.get(dep, 0) for dep in change.deps], default=0)
        if change.start_op <= behind:
            return "a change is numbered as if it did not follow on its dependencies"
        # Loading what it has saved, the binding takes the numbers from there on for this change's, and misses
        # operations that are another's, or of which there are none.
        if behind < end:
            return "a change does not follow on its actor's last one"
        if change.max_op < change.start_op != behind + 1:
            return "a change without operations is numbered as if there were more before it"
        return "the operations of a change are numbered too high" if change.max_op > MAX_COUNTER else None
