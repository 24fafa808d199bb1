"""Writing updates by hand, the right and the wrong ones."""

from __future__ import annotations

from weft._codecs.yjs.lib0 import Writer

__all__ = ["ANY_NULL", "item", "key_item", "run", "section", "update"]

ANY_NULL = b"\x7e"


def update(*sections: bytes, deletes: bytes = b"\x00") -> bytes:
    """An update of these sections."""
    return Writer().uint(len(sections)).raw(b"".join(sections)).raw(deletes).finish()


def section(client: int, clock: int, *structs: bytes) -> bytes:
    """The structs of one client."""
    return Writer().uint(len(structs)).uint(client).uint(clock).raw(b"".join(structs)).finish()


def item(ref: int, content: bytes, *, root: str = "r") -> bytes:
    """An item in a root sequence, without neighbours."""
    return Writer().byte(ref).uint(1).string(root).raw(content).finish()


def key_item(key: str, content: bytes = b"\x01" + ANY_NULL, *, ref: int = 8, root: str = "root") -> bytes:
    """An item at a key of a root map."""
    return Writer().byte(0x20 | ref).uint(1).string(root).string(key).raw(content).finish()


def run(count: int, content: bytes, *, ref: int = 8, flags: int = 0x80, length: int = 1) -> bytes:
    """An update of items of which each has the one before it as left neighbour."""
    structs = [item(ref, content)]
    structs += [
        Writer().byte(flags | ref).uint(5).uint(at * length - 1).raw(content).finish()
        for at in range(1, count)
    ]
    return update(section(5, 0, *structs))
