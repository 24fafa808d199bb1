"""What TinyBase's clients may say, drawn: messages of every kind, whole and in parts."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

from fuzz.live.cases import Case, framed
from support.fuzzing import mutated
from support.rawclient import masked
from weft.documents.mergeable import encode_hlc
from weft.protocols.tinybase.fragments import split

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ROOMS", "draw", "drawn_messages", "greeting"]

ROOMS = ["one", "two%20", "three/deep"]
"""Honest clients are in the first."""

_IDS = ("t", "r", "c", "", "é", "0", "__proto__", "x" * 300)
_CELLS: tuple[object, ...] = (
    *(1, -1, 1.5, None, True, "text", "", "é😀", 2**53, 1e300, [], {}, [[1, None]], {"a": {"b": []}}),
    *("\ufffc", "\ufffd", "\ufffd[1]", "\ufffd{", "\ufffdnonsense"),
)
_HASHES = (0, 1, 2**32 - 1, 2**32, -1, 1.5, "x", None, True)
# Of 2020 and before; the end of what there is, far ahead; and what is none.
_TIMES = (0, 1, 1_577_836_800_000, 1_577_836_800_001)
_HLCS = ("", "z" * 16, "short", "OFU9Mk-----FnHIC", 5, None)


def greeting(connection: int) -> bytes:
    """The frames with which a connection begins: a text, by which it is known what it speaks."""
    return masked(f'\n["hello {connection}",1,""]'.encode(), 1)


class _Grammar:
    """Draws for one room, and keeps in mind what it has said."""

    def __init__(self, random_: random.Random) -> None:
        self._random = random_
        self._said: list[bytes] = [b'\n["abc",1,""]', b"S\n[null,-1,[0,1]]", b"M\nx\n\n[]"]
        self._parts: list[bytes] = []

    def message(self) -> bytes:
        random_ = self._random
        if self._parts and random_.random() < 0.7:
            return self._parts.pop(random_.randrange(len(self._parts)))
        number = random_.choice((0, 1, 2, 3, 3, 3, 3, 4, 5, 6, 7, 8, -1))
        body = self._body(number if random_.random() < 0.95 else random_.randrange(8))
        text = json.dumps([random_.choice(("abc", "t.r", None, 5, "x" * 2000)), number, body])
        address = random_.choice(("", "", "", "S", "S", "zzz", "M"))
        match random_.randrange(20):
            case 0:
                name = "".join(random_.choices("abcXYZ-_09", k=16))
                pieces = split(text, random_.choice((1, 20, 100)), lambda _: name)
                frames = [f"{address}\n{piece}".encode() for piece in pieces]
                self._parts = frames[1 : random_.choice((3, len(frames)))]
                return frames[0]
            case 1 | 2:
                return mutated(random_, f"{address}\n{text}".encode(), self._said) or b"\n"
            case 3:
                return f"{address}\n{'[' * random_.choice((10, 1000, 100_000))}".encode()
        made = f"{address}\n{text}".encode()
        self._said = [*self._said[-40:], made]
        return made

    def _body(self, number: int) -> Any:
        random_ = self._random
        match number:
            case 0:
                return random_.choice(
                    (self._hashes(0), [1, 2], [self._stamps(2), self._hashes(1)], self._stamps(2))
                )
            case 1:
                return ""
            case 2:
                return [random_.choice(_HASHES[:3]) for _ in range(2)]
            case 3:
                return [self._stamps(2), self._stamps(0), 1]
            case 4 | 7:
                return self._hashes(0)
            case 5 | 6:
                return self._hashes(number - 4)
        return random_.choice((None, [], {}, 5, "text"))

    def _hashes(self, depth: int) -> Any:
        random_ = self._random
        ids = random_.sample(_IDS, random_.randrange(4))
        hashes = _HASHES if random_.random() < 0.1 else _HASHES[:3]
        return {each: self._hashes(depth - 1) if depth else random_.choice(hashes) for each in ids}

    def _stamps(self, depth: int) -> list[Any]:
        """Of tables, or of values, without hashes."""
        ids = self._random.sample(_IDS, self._random.randrange(3))
        return [{each: self._stamps(depth - 1) if depth else self._stamp() for each in ids}]

    def _stamp(self) -> list[Any]:
        random_ = self._random
        if random_.random() < 0.02:
            return [random_.choice(_CELLS), random_.choice(_HLCS)]
        hlc = encode_hlc(random_.choice(_TIMES), random_.randrange(3), random_.choice(("a", "b")))
        return [random_.choice(_CELLS), hlc][: random_.choice((1, 2, 2, 2))]


def draw(seed: str, count: int) -> Iterator[Case]:
    """The cases of a seed, whatever becomes of them."""
    random_ = random.Random(seed)
    grammars = [_Grammar(random_) for _ in ROOMS]
    for _ in range(count):
        room, connection = random_.randrange(len(ROOMS)), random_.randrange(2)
        data, is_broken = framed(random_, grammars[room].message())
        yield Case(room, connection, data, is_broken)


def drawn_messages(count: int) -> Iterator[bytes]:
    """Messages, out of their frames."""
    grammar = _Grammar(random.Random("messages"))
    return (grammar.message() for _ in range(count))
