"""Peers with shared texts in Automerge documents, and random edits of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from support.amdocs import numbered_document
from weft import Store
from weft.deltas import compose, from_utf16, text_of, to_utf16, utf16_length
from weft.mirrors.automerge import AutomergeMirror

if TYPE_CHECKING:
    from random import Random

    from weft.deltas import Delta
    from weft.documents.automerge.document import AutomergeDocument
    from weft.store import Text

__all__ = ["KEY", "PIECES", "TextPeer", "edit_at_random", "exchange_all", "give"]

KEY = ("notes", "n1", "body")
# Emoji, a family, a flag, combining marks, right-to-left letters; and equal letters, which can be mixed up.
PIECES = ["a", "a", "b", "é", "e\u0301", "😀", "👩‍👩‍👧", "ש", "ل", "\n", "🇩🇪", "x"]


class TextPeer:
    """A Store with one shared text in an Automerge document, and all that its listener was told.

    Attributes:
        heard: The deltas of the listener, composed.
        errors: What the mirror reported.
    """

    def __init__(self, number: int = 1, *, document: AutomergeDocument | None = None) -> None:
        self.store = Store().set_tables_schema(
            {KEY[0]: {KEY[2]: {"type": "text"}, "title": {"type": "string"}}}
        )
        self.errors: list[Exception] = []
        self.document = numbered_document(number) if document is None else document
        self.mirror = AutomergeMirror(self.store, self.document, on_error=self.errors.append).start()
        self.text = self.store.text(*KEY)
        self.heard: Delta = self.text.delta()
        self.told: list[tuple[Delta, bool]] = []
        self.text.add_listener(self._hear)

    def _hear(self, _: Text, delta: Delta, is_local: bool) -> None:
        self.told.append((delta, is_local))
        self.heard = compose(self.heard, delta)

    @property
    def made(self) -> bytes:
        """The text's id."""
        core, made = self.document.core, b"\0"
        for key in ("tinybase", "t", *KEY):
            found = core.get(made, key)
            assert found is not None
            made = found[1]
        return made

    def check(self) -> str:
        """Look that Store, listener and document agree; gives the text."""
        text, delta = str(self.text), self.text.delta()
        assert self.document.core.text(self.made) == text
        assert text_of(delta) == text
        assert compose([], delta) == compose([], self.heard), (delta, self.heard)
        assert not self.errors, self.errors
        return text


def give(source: TextPeer, *targets: TextPeer) -> None:
    """Give all that one has to others."""
    for target in targets:
        target.document.apply_changes(source.document.changes_since(()))


def exchange_all(*peers: TextPeer) -> None:
    """Give all that each has to all others, until they have the same."""
    while len({peer.document.heads for peer in peers}) > 1:
        for peer in peers:
            give(peer, *[other for other in peers if other is not peer])


def edit_at_random(random: Random, store: Store, text: Text) -> None:
    """Insert, delete, format, embed, set, or several of these in one transaction."""
    held = str(text)
    start, end = sorted(to_utf16(held, random.randint(0, len(held))) for _ in range(2))
    typed = "".join(random.choices(PIECES, k=random.randint(1, 4)))
    match random.randrange(12):
        case 0 | 1 | 2 | 3 | 4:
            text.insert(start, typed, random.choice([None, None, {}, {"bold": True}, {"link": "u"}]))
        case 5 | 6 | 7:
            first = from_utf16(held, start)
            text.delete(start, utf16_length(held[first : from_utf16(held, end)][:3]))
        case 8:
            formats: Any = random.choice(
                [{"bold": True}, {"bold": None}, {"link": "v"}, {"size": 3}, {"size": 1.5}]
            )
            text.format(start, end - start, formats)
        case 9:
            text.insert_embed(start, {"image": "x", "at": [1, {"a": None}, "b"]})
        case 10:
            middle = len(held) // 2
            if "\ufffc" not in held:  # in a string it would be a letter
                text.set(held[:middle] + typed + held[middle:])
        case _:
            with store.transaction():
                text.insert(start, "tx")
                text.delete(start, 1)
                text.append("!")
