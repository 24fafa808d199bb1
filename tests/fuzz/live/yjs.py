"""What y-websocket clients may say, drawn: messages of the protocol, with updates of every kind in them."""

from __future__ import annotations

import random
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING

from differential.updates.hostile import hostile
from fuzz.live.cases import Case, framed
from support.fuzzing import mutated
from support.yclient import awareness_frame, step1_frame, step2_frame, update_frame, varbytes, varuint
from support.ywriter import key_item, section, update
from weft._codecs.yjs.lib0 import Writer
from weft._codecs.yjs.state import encode_state_vector
from weft._codecs.yjs.structs import read_update
from weft.errors import RemoteProtocolError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["HONEST", "ROOMS", "SPOOFED", "draw", "drawn_messages", "drawn_updates", "honest_update"]

ROOMS = 3
SPOOFED = frozenset({1, 2})
"""Rooms in which attackers also write under the ids of honest clients, and delete what those wrote."""
HONEST = (2**31 - 11, 2**31 - 7)
"""The ids of a room's honest pair."""

_ROOTS = ("honest", "m", "x", "list", "text", "")
_TEXTS = ("", "k", "é", "😀", "__proto__", "x" * 300)
_VALUES = (
    b"\x7f", b"\x7e", b"\x78", b"\x7d\x05", b"\x7d\x45", b"\x7b" + b"\x3f" * 8, b"\x7a" + b"\xff" * 8,
    b"\x77\x01v", b"\x75\x02\x7e\x7e", b"\x76\x01\x01a\x7d\x01", b"\x74\x03abc",
)  # fmt: skip


def honest_update(client: int, clock: int, key: str, value: int) -> bytes:
    """An honest client's write of one key."""
    content = Writer().uint(1).raw(b"\x7d").byte(value & 0x3F).finish()
    return update(section(client, clock, key_item(key, content, root="honest")))


class _Grammar:
    """Draws for one room, and keeps in mind what it has said: what follows on is more telling than noise."""

    def __init__(self, random_: random.Random, *, is_spoofed: bool) -> None:
        self._random = random_
        self._is_spoofed = is_spoofed
        self._clocks: dict[int, int] = {}
        self._own = [1, 5, random_.randrange(2**31), 2**32 - 1, 2**53 - 1]
        self._said: list[bytes] = list(_corpus())

    def message(self) -> bytes:
        random_ = self._random
        match random_.randrange(12):
            case 0 | 1:
                return step1_frame(self._state_vector())
            case 2:
                return step2_frame(self.update())
            case 3:
                states = {
                    random_.choice((*self._own, *HONEST)): (
                        random_.choice((0, 1, 2, 2**31, 2**53 - 1)),
                        random_.choice((None, {}, "x", {"user": "é" * 50}, [1])),
                    )
                    for _ in range(random_.randint(1, 4))
                }
                return awareness_frame(states)
            case 4:
                return random_.choice((b"\3", b"\2\0" + varbytes(b"no"), varuint(random_.randrange(300))))
            case 5:
                return self.message() + self.message()
            case 6:
                return mutated(random_, self.message(), self._said)
            case _:
                return update_frame(self.update())

    def update(self) -> bytes:
        random_ = self._random
        if random_.random() < 0.3:
            return next(hostile(random_, self._said[-40:], 1))
        sections = []
        for client in sorted(
            set(random_.choices(self._clients(), k=random_.choice((1, 1, 1, 2, 3)))), reverse=True
        ):
            clock = max(0, self._clocks.get(client, 0) + random_.choice((0, 0, 0, 0, 1, 7, -1, -5)))
            structs, length = [], 0
            for _ in range(random_.choice((1, 1, 1, 2, 6))):
                struct, size = self._struct()
                structs.append(struct)
                length += size
            self._clocks[client] = max(self._clocks.get(client, 0), clock + length)
            sections.append(section(client, clock, *structs))
        made = update(*sections, deletes=self._deletes())
        with suppress(RemoteProtocolError):  # only what can be read is changed further
            read_update(made)
            self._said.append(made)
        return made

    def _clients(self) -> Sequence[int]:
        return (*self._own, *HONEST) if self._is_spoofed else self._own

    def _id(self, out: Writer) -> None:
        """An id: mostly of something that may be there, whoever wrote it."""
        random_ = self._random
        client = random_.choice((*self._own, *HONEST))
        out.uint(client).uint(
            random_.randrange(max(1, self._clocks.get(client, 20)) + random_.choice((0, 0, 3)))
        )

    def _struct(self) -> tuple[bytes, int]:
        random_ = self._random
        ref, content, length = self._content()
        if ref in {0, 10}:
            return Writer().byte(ref).uint(length).finish(), length
        flags = random_.choice((0, 0, 0x20, 0x20, 0x80, 0x80, 0x40, 0xC0))
        out = Writer().byte(flags | ref)
        for flag in (0x80, 0x40):
            if flags & flag:
                self._id(out)
        if not flags & 0xC0:
            if random_.random() < 0.6:
                out.byte(1).string(random_.choice(_ROOTS))
            else:
                out.byte(0)
                self._id(out)
            if flags & 0x20:
                out.string(random_.choice(_TEXTS))
        return out.raw(content).finish(), length

    def _content(self) -> tuple[int, bytes, int]:
        random_ = self._random
        text = random_.choice(_TEXTS)
        match random_.choice((0, 1, 3, 4, 4, 5, 6, 7, 7, 7, 8, 8, 8, 8, 9, 10)):
            case 0 | 10 as ref:
                return ref, b"", random_.choice((1, 2, 50))
            case 1:
                length = random_.choice((1, 3))
                return 1, varuint(length), length
            case 3:
                return 3, varbytes(random_.randbytes(3)), 1
            case 4:
                return 4, varbytes(text.encode()), len(text.encode("utf-16-le")) // 2 or 1
            case 5:
                return 5, varbytes(b'{"a":1}'), 1
            case 6:
                return 6, varbytes(b"bold") + varbytes(b"true"), 1
            case 7:
                kind = random_.choice((0, 1, 2, 3, 4, 6))
                return 7, varuint(kind) + (varbytes(b"p") if kind == 3 else b""), 1
            case 9:
                return 9, varbytes(b"guid") + b"\x76\x00", 1
            case _:
                values = random_.choices(_VALUES, k=random_.choice((1, 1, 3)))
                return 8, varuint(len(values)) + b"".join(values), len(values)

    def _deletes(self) -> bytes:
        random_ = self._random
        if random_.random() < 0.7:
            return b"\0"
        clients = sorted(set(random_.choices(self._clients(), k=2)), reverse=True)
        out = Writer().uint(len(clients))
        for client in clients:
            count = random_.randint(1, 3)
            out.uint(client).uint(count)
            for _ in range(count):
                out.uint(random_.randrange(self._clocks.get(client, 0) + 4)).uint(random_.choice((1, 2, 40)))
        return out.finish()

    def _state_vector(self) -> bytes:
        random_ = self._random
        clients = random_.sample((*self._own, *HONEST), random_.randint(0, 3))
        vector = encode_state_vector({client: random_.choice((1, 5, 2**31, 2**53 - 1)) for client in clients})
        return vector if random_.random() < 0.8 else mutated(random_, vector, self._said)


@cache
def _corpus() -> Sequence[bytes]:
    """Honest updates of a history with texts, lists, nested types and deletions."""
    from pycrdt import Array, Map, Text

    from weft.documents.yjs import create_doc

    doc = create_doc(client_id=77)
    updates: list[bytes] = []
    doc.observe(lambda event: updates.append(event.update))
    root, text, items = doc.get("m", type=Map), doc.get("text", type=Text), doc.get("list", type=Array)
    for number in range(12):
        root[f"k{number % 4}"] = Map({"a": number, "b": Array([1, "x", None])})
        text.insert(len(str(text)) // 2, f"é{number}😀")
        items.append(Text(f"t{number}"))
        if number % 3 == 2:
            del items[0]
            del root[f"k{number % 4}"]
            del text[0:1]
    return updates


def draw(seed: str, count: int) -> Iterator[Case]:
    """The cases of a seed, whatever becomes of them."""
    random_ = random.Random(seed)
    grammars = [_Grammar(random_, is_spoofed=room in SPOOFED) for room in range(ROOMS)]
    for _ in range(count):
        room = random_.randrange(ROOMS)
        data, is_broken = framed(random_, grammars[room].message())
        yield Case(room, random_.randrange(2), data, is_broken)


def drawn_messages(count: int) -> Iterator[bytes]:
    """Messages, out of their frames."""
    grammar = _Grammar(random.Random("messages"), is_spoofed=True)
    return (grammar.message() for _ in range(count))


def drawn_updates(count: int) -> Iterator[bytes]:
    """Updates, out of their messages."""
    grammar = _Grammar(random.Random("updates"), is_spoofed=True)
    return (grammar.update() for _ in range(count))
