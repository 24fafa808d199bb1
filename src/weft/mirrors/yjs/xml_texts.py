"""A Y.XmlFragment as ProseMirror's binding writes it, read and edited as one text.

Blocks are lines joined by line breaks, marks are formats, and a node without text is U+FFFC (``xml_tree``).
What the fragment holds is kept beside it, so that an edit costs what its block does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from weft.deltas import EMBED, apply, compose, utf16_length
from weft.mirrors.yjs.texts import plain
from weft.mirrors.yjs.xml_edits import Add, Drop, Edits
from weft.mirrors.yjs.xml_tree import (
    Element,
    Run,
    delta_length,
    line_count,
    measured,
    read_node,
    read_run,
    units,
)

if TYPE_CHECKING:
    from weft.deltas import Delta
    from weft.documents.yjs.binding import Txn
    from weft.mirrors.yjs.xml_edits import Made
    from weft.mirrors.yjs.xml_tree import Node, Unit

__all__ = ["XmlSharedText"]


class XmlSharedText:
    """One fragment. Every method needs an open transaction of its document; only ``write`` writes.

    Args:
        txn: The transaction.
        fragment: The binding's own fragment.

    Attributes:
        fragment: The same.
        root: What it holds.
        lengths: Of its children, in UTF-16 code units with a break behind each line.
        string: The text.
        is_written: Whether it was written and the document has not told of it yet.
    """

    def __init__(self, txn: Txn, fragment: Any) -> None:
        self.fragment = fragment
        self.is_written = False
        self.reread(txn)

    def reread(self, txn: Txn) -> None:
        """Read the fragment from its beginning."""
        self.root = Element("", {}, [read_node(txn, child) for child in self.fragment.children(txn)])
        self.lengths = [line_count(child) for child in self.root.children]
        self.string = "".join(
            part["insert"] if isinstance(part["insert"], str) else EMBED for part in self.delta()
        )

    @property
    def is_empty(self) -> bool:
        """Whether there is no block, which reads as one empty line does."""
        return not self.lengths

    def delta(self) -> Delta:
        """The text with its formats."""
        made = [part for child in self.root.children for unit in units(child) for part in unit.delta]
        return compose(made[:-1], ())

    # -- from the document -------------------------------------------------------------------------------

    def translate(self, txn: Txn, events: list[Any], *, below: int = 0) -> Delta:
        """Take in what changed in the fragment, and give it as a delta.

        Args:
            txn: The transaction that the events are of.
            events: The binding's events of the fragment and what is in it.
            below: How long the path of the fragment itself is in them.

        Returns:
            The delta; empty where only attributes of blocks changed.
        """
        events = sorted(events, key=lambda event: len(event.path))
        before, lengths = list(self.root.children), list(self.lengths)
        dirty: dict[int, list[Unit]] = {}  # by identity of a child of the fragment, as it was
        changed: dict[int, Delta] = {}  # by key of a run
        fresh: set[int] = set()
        for event in events:
            path = event.path[below:]
            if not path:
                self._update(txn, self.root, event.delta, fresh)
                known = dict(zip(map(id, before), lengths, strict=True))
                self.lengths = [known.get(id(child)) or line_count(child) for child in self.root.children]
                continue
            top = self.root.children[path[0]]
            node: Node = self.root
            for index in path:
                node = cast("Element", node).children[index]
                if id(node) in fresh:
                    break
            else:
                if id(top) not in dirty:
                    dirty[id(top)] = list(units(top))
                if isinstance(node, Run):
                    changed[node.key] = self._changed_run(txn, node, event)
                else:
                    self._update(txn, node, event.delta, fresh)
                    for name, change in event.keys.items():
                        node.attributes.pop(name, None)
                        if change["action"] != "delete":
                            node.attributes[name] = plain(change["newValue"])
                self.lengths[path[0]] = line_count(top)
        delta = _without_last_break(self._compare(before, lengths, dirty, changed))
        self.string = apply(self.string, delta)
        return delta

    def _changed_run(self, txn: Txn, run: Run, event: Any) -> Delta:
        delta = _in_units(event.delta, measured(run.delta))
        run.delta = read_run(txn, event.target)
        return delta

    @staticmethod
    def _update(txn: Txn, node: Element, delta: list[dict[str, Any]], fresh: set[int]) -> None:
        at = 0
        for operation in delta:
            if "retain" in operation:
                at += operation["retain"]
            elif "delete" in operation:
                del node.children[at : at + operation["delete"]]
            else:
                made = [read_node(txn, raw) for raw in operation["insert"]]
                fresh.update(map(id, made))
                node.children[at:at] = made
                at += len(made)

    def _compare(
        self, before: list[Node], lengths: list[int], dirty: dict[int, list[Unit]], changed: dict[int, Delta]
    ) -> Delta:
        """Give what has become of the fragment's children, each line with a break behind it."""
        delta: Delta = []
        after = self.root.children
        kept, known = set(map(id, after)), set(map(id, before))
        a = b = retained = 0
        while a < len(before) or b < len(after):
            if a < len(before) and id(before[a]) in kept and (b == len(after) or id(after[b]) in known):
                if (old := dirty.get(id(before[a]))) is None:
                    retained += lengths[a]
                else:
                    if retained:
                        delta.append({"retain": retained})
                    retained = 0
                    _compare_units(delta, old, list(units(before[a])), changed)
                a, b = a + 1, b + 1
                continue
            if retained:
                delta.append({"retain": retained})
            retained = 0
            if a < len(before) and id(before[a]) not in kept:
                delta.append({"delete": lengths[a]})
                a += 1
            else:
                delta.extend(part for unit in units(after[b]) for part in unit.delta)
                b += 1
        if retained:
            delta.append({"retain": retained})
        return delta

    # -- to the document ---------------------------------------------------------------------------------

    def write(self, txn: Txn, delta: Delta) -> None:
        """Edit the fragment.

        Args:
            txn: A transaction that writes.
            delta: What is to be done to the text.

        Raises:
            MirrorError: It would leave what no editor can show. Nothing was done.
            ValueError: It reaches beyond the end of the text. Nothing was done.
        """
        edits = Edits(self.root, self.lengths)
        try:
            edits.apply(delta)
            self.string = apply(self.string, delta)
        except Exception:
            self.reread(txn)
            raise
        self.is_written = bool(edits.done)
        for step in edits.done:
            raw = self.raw(txn, step.path)
            if isinstance(step, Drop):
                raw.remove_range(txn, step.at, 1)
            elif isinstance(step, Add):
                _make(txn, raw, step.at, step.made)
            elif step.insert:
                # Without attributes the binding would take those that stand there.
                raw.insert(txn, step.place, step.insert, iter(step.attributes.items()))
            elif step.remove:
                raw.remove_range(txn, step.place, step.remove)
            else:
                raw.format(txn, step.place, step.format, iter(step.attributes.items()))

    def raw(self, txn: Txn, path: tuple[int, ...]) -> Any:
        """The binding's own type at indices from the fragment on."""
        raw = self.fragment
        for index in path:
            raw = raw.get(txn, index)
        return raw


def _make(txn: Txn, parent: Any, index: int, made: Made) -> None:
    node = made.node
    if isinstance(node, Run):
        raw = parent.insert_str(txn, index, "")
        for part in made.delta:
            raw.insert(txn, raw.len(txn), part["insert"], iter(part.get("attributes", {}).items()))
    else:
        raw = parent.insert_element_prelim(txn, index, node.tag)
        for name, value in node.attributes.items():
            if value is not None:  # an attribute that has its default, as y-prosemirror writes it
                raw.insert_attribute(txn, name, value)
        for number, child in enumerate(made.children):
            _make(txn, raw, number, child)
    node.key = hash(raw)


def _in_units(heard: list[dict[str, Any]], string: str) -> Delta:
    """Turn the delta of an event of a run, which counts bytes, into one of UTF-16 code units."""
    data = b"" if string.isascii() else string.encode()
    at = 0
    delta: Delta = []
    for operation in heard:
        made: dict[str, Any] = {}
        if "attributes" in operation:
            made["attributes"] = plain(operation["attributes"])
        if "insert" in operation:
            inserted = operation["insert"]
            made["insert"] = inserted if isinstance(inserted, str) else plain(inserted)
        else:
            (kind,) = operation.keys() - {"attributes"}
            length = operation[kind]
            made[kind] = length if not data else utf16_length(data[at : at + length].decode(errors="replace"))
            at += length
        delta.append(made)
    return delta


def _compare_units(delta: Delta, old: list[Unit], new: list[Unit], changed: dict[int, Delta]) -> None:
    """Add what became of a block to a delta."""
    known, kept = {unit.key for unit in old}, {unit.key for unit in new}
    a = b = 0
    while a < len(old) or b < len(new):
        if a < len(old) and old[a].key not in kept:
            if length := delta_length(old[a].delta):  # an empty run is nothing
                delta.append({"delete": length})
            a += 1
        elif b < len(new) and new[b].key not in known:
            delta.extend(new[b].delta)
            b += 1
        else:
            before, after = old[a], new[b]
            a, b = a + 1, b + 1
            length = delta_length(before.delta)
            if before.key[0] == "run" and before.key[1] in changed:
                steps = changed[before.key[1]]
                delta.extend(steps)
                length -= sum(step.get("retain", 0) + step.get("delete", 0) for step in steps)
            elif before.delta != after.delta:
                delta.extend([*after.delta, {"delete": length}])
                continue
            if length:
                delta.append({"retain": length})


def _without_last_break(delta: Delta) -> Delta:
    """Make a delta of lines that each have a break behind them one of lines with breaks between them."""
    parts = list(delta)
    inserted: Delta = []
    deleted = 0
    while parts and "retain" not in parts[-1]:
        last = parts.pop()
        if "insert" in last:
            inserted.insert(0, last)
        else:
            deleted += last["delete"]
    if not inserted and not deleted:
        pass  # the last break was kept
    elif deleted and inserted:
        _cut_end(inserted)
        deleted -= 1
    elif not parts:  # there was nothing, or nothing is left
        deleted -= bool(deleted)
        _cut_end(inserted)
    else:  # the break before takes the place of the last one
        kept = parts.pop()
        if kept["retain"] > 1:
            parts.append({**kept, "retain": kept["retain"] - 1})
        if inserted:
            inserted.insert(0, {"insert": "\n"})
            _cut_end(inserted)
    if inserted or deleted:
        parts.extend(inserted)
        if deleted:
            parts.append({"delete": deleted})
    return compose(parts, ())


def _cut_end(inserted: Delta) -> None:
    """Take off the break at the end of what is inserted."""
    if inserted:
        last = inserted.pop()
        if len(last["insert"]) > 1:
            inserted.append({**last, "insert": last["insert"][:-1]})
