from __future__ import annotations

import contextlib
import random

import pytest

from weft.errors import RemoteProtocolError
from weft.server.fanout.messages import (
    Beat,
    Bye,
    Hint,
    Question,
    Told,
    beat_message,
    bye_message,
    hint_message,
    question_message,
    read_message,
    told_message,
)

ME = b"12345678"


def test_each_message_reads_as_what_it_was() -> None:
    assert read_message(hint_message(ME, 1_700_000_000_000, 7, 2, [b"a", b""])) == Hint(
        ME, 1_700_000_000_000, 7, 2, [b"a", b""]
    )
    assert read_message(hint_message(ME, 0, 7, 2, ())) == Hint(ME, 0, 7, 2, [])
    assert read_message(told_message(ME, b"\x01x")) == Told(ME, b"\x01x")
    assert read_message(question_message(ME)) == Question(ME)
    assert read_message(beat_message(ME)) == Beat(ME)
    assert read_message(bye_message(ME)) == Bye(ME)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x01\x01",
        b"\x02\x04" + ME,
        b"\x01\x09" + ME,
        hint_message(ME, 0, 0, 1, [b"a"]),
        hint_message(ME, 0, 1, 3, [b"a"]),
        hint_message(ME, 0, 1, 1, [b"a"]) + b"x",
        hint_message(ME, 0, 1, 1, [b"abc"])[:-1],
    ],
)
def test_what_cannot_be_read_is_refused(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        read_message(data)


def test_no_bytes_raise_anything_else() -> None:
    rng = random.Random(1)
    for _ in range(5_000):
        data = bytearray(hint_message(ME, 5, rng.randrange(1, 300), 2, [rng.randbytes(5), b""]))
        for _ in range(rng.randrange(1, 4)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        with contextlib.suppress(RemoteProtocolError):
            read_message(bytes(data[: rng.randrange(len(data) + 1)]))
