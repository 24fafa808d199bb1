"""What automerge-repo's clients may say, drawn: messages with changes of every kind in them."""

from __future__ import annotations

import random
from functools import cache
from typing import TYPE_CHECKING

from fuzz.live.cases import Case, framed
from support.automerge_chunks import BACKWARDS, JS_COUNTER, JS_FIRST, refit
from support.fuzzing import mutated
from support.rawclient import masked
from support.repoclient import numbered_id
from weft._codecs.automerge.change_builder import ChangeBuilder
from weft._codecs.automerge.chunks import split_chunks
from weft._codecs.automerge.sync_message import make_sync_message
from weft.documents import AutomergeDocument
from weft.protocols.automerge_repo.cbor import encode

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["DOCUMENTS", "draw", "drawn_messages", "join"]

DOCUMENTS = [numbered_id(number) for number in (1, 2, 3)]
"""Honest clients are in the first."""

_ACTORS = [bytes([number]) * 16 for number in (1, 2, 3)] + [b"", b"\xff" * 300]
_KEYS = ("k", "", "é", "tinybase", "x" * 300)
_VALUES = (1, -1, 1.5, None, True, 2**53, -(2**62))


def join(connection: int) -> bytes:
    """The frames with which a connection begins."""
    name = f"bad {connection}"
    return masked(encode({"type": "join", "senderId": name, "supportedProtocolVersions": ["1"]}))


class _Grammar:
    """Draws for one document, and keeps in mind what it has said."""

    def __init__(self, random_: random.Random, document: str) -> None:
        self._random = random_
        self._document = document
        self._changes: list[bytes] = [*_corpus()]
        self._hashes: list[bytes] = [split_chunks(change)[0].hash for change in self._changes]
        self._last: dict[bytes, tuple[int, int]] = {}  # of an actor: its number and its last operation
        self._said: list[bytes] = [b"\xa1\x64type\x64join"]

    def message(self, connection: int) -> bytes:
        random_ = self._random
        fields: dict[str, object] = {
            "senderId": random_.choice((f"bad {connection}",) * 9 + ("bad 0", "client 1", "")),
            "targetId": random_.choice(("server", "server", "nobody")),
            "documentId": random_.choice((self._document,) * 9 + (*DOCUMENTS, "none", numbered_id(99))),
        }
        match random_.randrange(14):
            case 0:
                fields |= {"type": "request", "data": self._sync()}
            case 1:
                said = random_.choice((encode({"cursor": [1, None, 2.5]}), random_.randbytes(5), b""))
                count = random_.choice((1, 2, 2**31, -1))
                fields |= {"type": "ephemeral", "sessionId": "s", "count": count, "data": said}
            case 2:
                kinds = (
                    "doc-unavailable",
                    "leave",
                    "error",
                    "peer",
                    "join",
                    "remote-heads-changed",
                    "nonsense",
                )
                fields |= {"type": random_.choice(kinds), "message": "no", "selectedProtocolVersion": "1"}
            case 3:
                fields |= {"type": "sync", "data": random_.choice((b"", "text", 5, None, [b"x"]))}
            case 4:
                made = self.message(connection)
                return mutated(random_, made, self._said) or b"\0"
            case 5:
                fields |= {"type": "sync", "data": mutated(random_, self._sync(), self._said)}
            case _:
                fields |= {"type": "sync", "data": self._sync()}
        made = encode(fields)
        self._said = [*self._said[-40:], made]
        return made

    def _sync(self) -> bytes:
        random_ = self._random
        heads = random_.sample(self._hashes, min(len(self._hashes), random_.choice((0, 0, 1, 2))))
        if random_.random() < 0.1:
            heads.append(random_.randbytes(32))
        return make_sync_message(heads, [self._change() for _ in range(random_.choice((0, 1, 1, 1, 2, 3)))])

    def _change(self) -> bytes:
        random_ = self._random
        match random_.randrange(10):
            case 0 | 1:
                return random_.choice(self._changes)
            case 2 | 3:
                return refit(mutated(random_, random_.choice(self._changes), self._changes)) or b"\0"
            case _:
                return self._built()

    def _built(self) -> bytes:
        """A change as it should be, or one whose numbers, dependencies or actor are not."""
        random_ = self._random
        actor = random_.choice(_ACTORS)
        seq, last = self._last.get(actor, (0, 0))
        deps = random_.sample(self._hashes[-6:], random_.choice((0, 1, 1, 2)))
        if random_.random() < 0.1:
            deps.append(random_.randbytes(32))
        builder = ChangeBuilder(
            actor=actor,
            seq=max(0, seq + random_.choice((1, 1, 1, 1, 1, 2, 0, 50))),
            start_op=max(0, last + random_.choice((1, 1, 1, 1, 30, 0, -1, 2**31 - 2))),
            deps=deps,
        )
        for _ in range(random_.choice((0, 1, 1, 2, 5))):
            where = None if random_.random() < 0.8 else (random_.choice(_ACTORS), random_.randrange(1, 20))
            match random_.randrange(4):
                case 0:
                    builder.make_map(where, random_.choice(_KEYS))
                case 1:
                    builder.make_text(where, random_.choice(_KEYS), random_.choice(("", "a", "é😀")))
                case _:
                    builder.put(where, random_.choice(_KEYS), random_.choice(_VALUES))
        made = builder.chunk()
        self._last[actor] = seq + 1, last + len(builder)
        self._changes = [*self._changes[-60:], made]
        self._hashes = [*self._hashes[-60:], split_chunks(made)[0].hash]
        return made


@cache
def _corpus() -> Sequence[bytes]:
    return JS_FIRST, JS_COUNTER, *BACKWARDS, *_saved()


def _saved() -> Iterator[bytes]:
    """A document, and the same as one chunk."""
    document = AutomergeDocument(actor=b"\7" * 16)
    document.apply_changes([JS_FIRST, JS_COUNTER])
    yield document.save()


def draw(seed: str, count: int) -> Iterator[Case]:
    """The cases of a seed, whatever becomes of them."""
    random_ = random.Random(seed)
    grammars = [_Grammar(random_, document) for document in DOCUMENTS]
    for _ in range(count):
        room, connection = random_.randrange(len(DOCUMENTS)), random_.randrange(2)
        data, is_broken = framed(random_, grammars[room].message(connection))
        yield Case(room, connection, data, is_broken)


def drawn_messages(count: int) -> Iterator[bytes]:
    """Messages, out of their frames."""
    grammar = _Grammar(random.Random("messages"), DOCUMENTS[0])
    return (grammar.message(0) for _ in range(count))
