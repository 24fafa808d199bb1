"""One thing that an attacker does, and what a protocol has to say to be attacked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from support.rawclient import masked

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

__all__ = ["Case", "Expected", "framed"]


class Case(NamedTuple):
    """Bytes on one of an attacker's connections.

    Attributes:
        room: Which room, by its number.
        connection: Which of the connections to it.
        data: Frames.
        is_broken: No frame can follow: the connection is cut off behind it.
    """

    room: int
    connection: int
    data: bytes
    is_broken: bool = False


@dataclass
class Expected:
    """What must be there in the end.

    Attributes:
        name: The room in storage.
        cells: What honest clients wrote.
        clocks: Clocks that the room has at least, where others have used the honest clients' ids.
    """

    name: str
    cells: dict[str, int]
    clocks: dict[int, int]


def framed(random_: random.Random, message: bytes) -> tuple[bytes, bool]:
    """A message in frames as it pleases; whether no frame can follow."""
    kind = random_.randrange(24)
    if kind >= 5:
        return masked(message), False
    parts = _parts(random_, message)
    frames = [masked(part, 2 * (not at), is_last=at == len(parts) - 1) for at, part in enumerate(parts)]
    if kind < 3:
        for at in range(random_.randrange(3)):  # control frames may stand between the parts of a message
            control = masked(random_.randbytes(random_.choice((0, 4, 125))), random_.choice((9, 10)))
            frames.insert(min(at, len(frames)), control)
        return b"".join(frames), False
    data = bytearray(b"".join(frames))
    if kind == 3:  # reserved bits, opcodes that there are not, no mask, a length that is not so
        data[random_.randrange(min(2, len(data)))] ^= 1 << random_.randrange(8)
    else:
        del data[random_.randrange(1, len(data) + 1) :]
    return bytes(data), True


def _parts(random_: random.Random, message: bytes) -> Sequence[bytes]:
    cuts = sorted(random_.randrange(len(message) + 1) for _ in range(random_.randrange(4)))
    return [message[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(message)], strict=True)]
