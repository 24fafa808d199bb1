"""Composing, inverting and transforming deltas, as quill-delta (5.1) does."""

from __future__ import annotations

from sys import maxsize
from typing import TYPE_CHECKING, Any

from weft.deltas.offsets import slice_utf16, utf16_length
from weft.values import json_equal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from weft.deltas.form import Attributes, Delta, DeltaInput

__all__ = ["compose", "invert", "transform", "transform_offset"]


class _Operations:
    """The operations of a delta, to be taken in pieces; behind the last one a retain without an end."""

    __slots__ = ("_at", "_delta", "_done", "kind", "length")

    def __init__(self, delta: DeltaInput) -> None:
        self._delta = delta
        self._at = -1
        self._step()

    def _step(self) -> None:
        self._at += 1
        self._done = 0
        self.kind, self.length = "retain", maxsize
        if self._at < len(self._delta):
            operation = self._delta[self._at]
            self.kind, self.length = _measure(operation)

    @property
    def has_more(self) -> bool:
        return self._at < len(self._delta)

    def take(self, length: int = maxsize) -> dict[str, Any]:
        """Take a piece, of at most the length."""
        if self._at >= len(self._delta):
            return {"retain": length}
        operation = self._delta[self._at]
        start = self._done
        length = min(length, self.length)
        kind, content = self.kind, operation[self.kind]
        if kind == "insert" and isinstance(content, str):
            whole = not start and length == self.length
            piece: dict[str, Any] = {kind: content if whole else slice_utf16(content, start, start + length)}
        else:
            piece = {kind: content if kind == "insert" else length}
        if operation.get("attributes"):
            piece["attributes"] = operation["attributes"]
        if length == self.length:
            self._step()
        else:
            self._done += length
            self.length -= length
        return piece


def _measure(operation: Mapping[str, Any]) -> tuple[str, int]:
    if (inserted := operation.get("insert")) is not None:
        return "insert", utf16_length(inserted) if isinstance(inserted, str) else 1
    if "delete" in operation:
        return "delete", operation["delete"]
    return "retain", operation["retain"]


def _push(delta: Delta, operation: dict[str, Any]) -> None:
    """Add an operation, joined with the last one where it can be; an insert goes before a deletion."""
    at = len(delta)
    if not at:
        delta.append(operation)
        return
    last = delta[-1]
    if "delete" in last:
        if "delete" in operation:
            delta[-1] = {"delete": last["delete"] + operation["delete"]}
            return
        if "insert" in operation:
            at -= 1
            if not at:
                delta.insert(0, operation)
                return
            last = delta[at - 1]
    attributes = operation.get("attributes")
    if json_equal(attributes, last.get("attributes")):
        for kind, joined in (("insert", str), ("retain", int)):
            if isinstance(operation.get(kind), joined) and isinstance(last.get(kind), joined):
                delta[at - 1] = {kind: last[kind] + operation[kind]}
                if attributes:
                    delta[at - 1]["attributes"] = attributes
                return
    delta.insert(at, operation)


def _chop(delta: Delta) -> Delta:
    if delta and "retain" in delta[-1] and not delta[-1].get("attributes"):
        delta.pop()
    return delta


def _with(operation: dict[str, Any], attributes: Attributes) -> dict[str, Any]:
    if attributes:
        operation["attributes"] = attributes
    return operation


def compose(a: DeltaInput, b: DeltaInput) -> Delta:
    """Make one delta of two, of which the second came after the first."""
    first, second = _Operations(a), _Operations(b)
    delta: Delta = []
    while first.has_more or second.has_more:
        if second.kind == "insert":
            _push(delta, second.take())
        elif first.kind == "delete":
            _push(delta, first.take())
        else:
            length = min(first.length, second.length)
            ours, theirs = first.take(length), second.take(length)
            if "retain" in theirs:
                retains = "retain" in ours
                attributes = _composed(ours.get("attributes"), theirs.get("attributes"), keep_none=retains)
                made = {"retain": length} if retains else {"insert": ours["insert"]}
                _push(delta, _with(made, attributes))
            elif "retain" in ours:
                _push(delta, theirs)
    return _chop(delta)


def _composed(ours: Attributes, theirs: Attributes, *, keep_none: bool) -> Attributes:
    if not ours and (keep_none or not theirs):
        return theirs
    both = {**(ours or {}), **(theirs or {})}
    if keep_none:
        return both
    return {key: value for key, value in both.items() if value is not None or key not in (theirs or {})}


def invert(delta: DeltaInput, base_delta: DeltaInput) -> Delta:
    """Make the delta that takes one back.

    Args:
        delta: What was done.
        base_delta: The text before it, with its formats: a delta of ``insert`` alone.
    """
    base = _Operations(base_delta)
    inverted: Delta = []
    for operation in delta:
        kind, length = _measure(operation)
        if kind == "insert":
            _push(inverted, {"delete": length})
            continue
        while length > 0 and base.has_more:
            piece_length = min(length, base.length)
            piece = base.take(piece_length)
            length -= piece_length
            if kind == "delete":
                _push(inverted, piece)
            else:
                attributes = _inverted(operation.get("attributes") or {}, piece.get("attributes") or {})
                _push(inverted, _with({"retain": piece_length}, attributes))
    return _chop(inverted)


def _inverted(attributes: Mapping[str, Any], base: Mapping[str, Any]) -> Attributes:
    back = {
        key: base[key] for key in base if key in attributes and not json_equal(base[key], attributes[key])
    }
    back.update((key, None) for key in attributes if key not in base)
    return back


def transform(a: DeltaInput, b: DeltaInput, *, first: bool) -> Delta:
    """Make of a delta, which knew nothing of another, what it is after that.

    Args:
        a: The delta that has been applied.
        b: The one that is to be applied then, made for the same text as ``a``.
        first: Whether what ``a`` inserts where ``b`` inserts as well stands before it, and its formats win.

    Returns:
        ``b`` as it is after ``a``.
    """
    done, coming = _Operations(a), _Operations(b)
    delta: Delta = []
    while done.has_more or coming.has_more:
        if done.kind == "insert" and (first or coming.kind != "insert"):
            _push(delta, {"retain": done.length})
            done.take()
        elif coming.kind == "insert":
            _push(delta, coming.take())
        else:
            length = min(done.length, coming.length)
            ours, theirs = done.take(length), coming.take(length)
            if "delete" in ours:
                continue
            if "delete" in theirs:
                _push(delta, theirs)
            else:
                attributes = theirs.get("attributes")
                if attributes and first and (known := ours.get("attributes")):
                    attributes = {key: value for key, value in attributes.items() if key not in known}
                _push(delta, _with({"retain": length}, attributes))
    return _chop(delta)


def transform_offset(delta: DeltaInput, offset: int, *, assoc: int = 0) -> int:
    """Tell where an offset is after a delta.

    Args:
        delta: What was done to the text.
        offset: Where it was before.
        assoc: To what it belongs: 0 or more to the character behind it, so that what is inserted there
            stands before it; below 0 to the one before it.
    """
    at = 0
    for operation in delta:
        if at > offset:
            break
        kind, length = _measure(operation)
        if kind == "delete":
            offset -= min(length, offset - at)
            continue
        if kind == "insert" and (at < offset or assoc >= 0):
            offset += length
        at += length
    return offset
