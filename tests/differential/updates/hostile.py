"""Updates that nobody honest sends: real ones with bytes and whole sections changed."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, NamedTuple

from support.fuzzing import mutated
from weft._codecs.yjs.lib0 import Reader, Writer
from weft._codecs.yjs.stored import struct_ends
from weft._codecs.yjs.structs import read_update

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator, Sequence

__all__ = ["hostile"]

_HUGE = [2**16, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**53 - 2]
_CLIENTS = [0, 1, 2**31, 2**32 - 1, 2**32, 2**53 - 1]


class _Section(NamedTuple):
    """What an update holds of one client: a slice for each struct."""

    client: int
    clock: int
    structs: list[bytes]
    counted: int | None = None  # what is said instead of how many they are


def _taken_apart(update: bytes) -> tuple[list[_Section], bytes]:
    sections = []
    end = 1
    for run in read_update(update)[0]:
        ends = [run.begin, *(stop for _, stop in struct_ends(update, run.begin, run.count))]
        structs = [update[start:stop] for start, stop in itertools.pairwise(ends)]
        sections.append(_Section(run.client, run.clock, structs))
        end = run.stop
    return sections, update[end:]


def _joined(sections: Sequence[_Section], deletes: bytes) -> bytes:
    out = Writer().uint(len(sections))
    for client, clock, structs, counted in sections:
        out.uint(len(structs) if counted is None else counted).uint(client).uint(clock).raw(b"".join(structs))
    return out.raw(deletes).finish()


def _struct_changed(random_: random.Random, struct: bytes, clients: list[int]) -> bytes:
    """Another origin, right origin or parent; the content stays, or becomes deleted, collected or a type."""
    info = struct[0]
    if info & 0x1F in {0, 10}:
        return Writer().byte(info).uint(random_.choice((1, 2, 1000, *_HUGE[:2]))).finish()
    reader = Reader(struct)
    reader.byte()
    ids = sum(bool(info & flag) for flag in (0x80, 0x40))
    if not ids and reader.byte():
        reader.bytes()
    elif not ids:
        ids = 1
    for _ in range(2 * ids):
        reader.uint()
    key = reader.bytes() if not info & 0xC0 and info & 0x20 else b"key"
    content = struct[reader.position :]
    new = [b"\x01", b"\x05\x01p", b"\x02", b"\x7d\x05", b"\x01x"]
    ref, content = random_.choice(
        [(info & 0x1F, content)] * 3 + [(1, new[0]), (7, new[2]), (8, b"\x01" + new[3]), (4, new[4])]
    )
    flags = random_.choice((info & 0xE0, 0x00, 0x20, 0x80, 0x40, 0xC0, 0xE0))
    out = Writer().byte(flags | ref)

    def reference() -> None:
        out.uint(random_.choice(clients)).uint(random_.choice((*range(12), 40, 10**6)))

    for flag in (0x80, 0x40):
        if flags & flag:
            reference()
    if not flags & 0xC0:
        if random_.random() < 0.5:
            out.byte(1).bytes(random_.choice((b"m", b"t", b"x", b"a", b"", b"\xff")))
        else:
            out.byte(0)
            reference()
        if flags & 0x20:
            out.bytes(key)
    return out.raw(content).finish()


def _structs_changed(random_: random.Random, sections: list[_Section]) -> list[_Section]:
    clients = [section.client for section in sections]
    return [
        section._replace(
            structs=[
                _struct_changed(random_, struct, clients) if random_.random() < 0.3 else struct
                for struct in section.structs
            ]
        )
        for section in sections
    ]


def _structs_moved(random_: random.Random, sections: list[_Section]) -> list[_Section]:
    return [
        section._replace(structs=random_.sample(section.structs, random_.randint(0, len(section.structs))))
        for section in sections
    ]


def _clients_swapped(random_: random.Random, sections: list[_Section]) -> list[_Section]:
    clients = [section.client for section in sections] + random_.sample(_CLIENTS, 2)
    return [section._replace(client=random_.choice(clients)) for section in sections]


def _moved(random_: random.Random, sections: list[_Section]) -> list[_Section]:
    return [
        section._replace(clock=max(0, section.clock + random_.choice((-1, 1, -7, 100, 2**31))))
        if random_.random() < 0.6
        else section
        for section in sections
    ]


def _counted(random_: random.Random, sections: list[_Section]) -> list[_Section]:
    at = random_.randrange(len(sections))
    changed = list(sections)
    count = len(sections[at].structs)
    changed[at] = sections[at]._replace(counted=random_.choice([0, count + 1, max(0, count - 1), *_HUGE]))
    return changed


def _duplicated(random_: random.Random, sections: list[_Section]) -> list[_Section]:
    return [*sections, random_.choice(sections)]


def _parts_swapped(random_: random.Random, sections: list[_Section]) -> list[_Section]:
    return [
        section._replace(structs=other.structs)
        for section, other in zip(sections, random_.sample(sections, len(sections)), strict=True)
    ]


def _huge_number(random_: random.Random, update: bytes) -> bytes:
    at = random_.randrange(len(update) + 1)
    return update[:at] + Writer().uint(random_.choice(_HUGE)).finish() + update[at + 1 :]


def _deletes(random_: random.Random, corpus: Sequence[bytes]) -> bytes:
    clients = {run.client for update in corpus for run in read_update(update)[0]} | {random_.choice(_CLIENTS)}
    out = Writer()
    chosen = random_.sample(sorted(clients), min(len(clients), random_.randint(1, 3)))
    out.uint(len(chosen))
    for client in chosen:
        ranges = [
            (random_.choice((0, 1, 5, 2**20, 2**31 - 2)), random_.choice((0, 1, 2, 50, 2**20, 2**31 - 1)))
            for _ in range(random_.randint(1, 4))
        ]
        out.uint(client).uint(len(ranges))
        for clock, length in ranges:
            out.uint(clock).uint(length)
    return out.finish()


_CHANGES = [
    _clients_swapped, _moved, _counted, _duplicated, _parts_swapped, _structs_moved,
    _structs_changed, _structs_changed, _structs_changed, _structs_changed, _structs_changed,
]  # fmt: skip


def hostile(random_: random.Random, corpus: Sequence[bytes], count: int) -> Iterator[bytes]:
    """Yield changed updates of a history, and other histories' pieces."""
    for _ in range(count):
        update = random_.choice(corpus)
        kind = random_.randrange(10)
        if kind < 2:
            yield mutated(random_, update, corpus)
        elif kind == 2:
            yield _huge_number(random_, update)
        else:
            sections, deletes = _taken_apart(update)
            if kind == 3 or not sections:
                deletes = _deletes(random_, corpus)
            for _ in range(random_.randint(1, 2)):
                if sections:
                    sections = random_.choice(_CHANGES)(random_, sections)
            yield _joined(sections, deletes)
