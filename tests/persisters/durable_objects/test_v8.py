from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest

from support.vectors import vectors
from support.wire import ABSENT
from weft.errors import StorageError
from weft.persisters.durable_objects.v8 import decode_stamp, encode_stamp
from weft.values import UNDEFINED

if TYPE_CHECKING:
    from support.node import SyncJsPeer

STORED = {
    key: bytes.fromhex(value)
    for file in vectors("durable-objects-disk").values()
    for key, value in file["_cf_KV"]
}


def test_what_workerd_stored_is_read_and_written_alike() -> None:
    assert len(STORED) > 25
    dense = 0
    for data in STORED.values():
        stamp = decode_stamp(data)
        assert decode_stamp(encode_stamp(stamp[0], stamp[1], stamp[2])) == stamp
        if data[2:3] == b"A":
            dense += 1
            assert encode_stamp(stamp[0], stamp[1], stamp[2]) == data
    assert dense > 15


def test_stamps_of_all_kinds_of_cells() -> None:
    assert decode_stamp(STORED['t"pets","gone","x"'])[0] is UNDEFINED
    assert decode_stamp(STORED['t"pets","fido","nul"'])[0] is None
    assert decode_stamp(STORED['t"pets","fido","obj"'])[0] == '\ufffd{"a":[1]}'
    assert decode_stamp(STORED['t"pets","fi\\"do, é","n"'])[0] == 1.5


@pytest.mark.interop
@pytest.mark.parametrize("seed", range(2))
def test_v8_itself_reads_and_writes_the_same(sync_js: SyncJsPeer, seed: int) -> None:
    draw = random.Random(seed)

    def thing() -> Any:
        size = draw.choice([0, 1, 5, 126, 127, 128, 300])
        return draw.choice(
            [
                None,
                True,
                False,
                UNDEFINED,
                draw.randrange(-(2**31), 2**31),
                draw.choice(
                    [0, -1, 2**30 - 1, 2**30, -(2**30), -(2**30) - 1, 2**53 - 1, 0.5, -1e300, 5e-324]
                ),
                "".join(draw.choice("ab\x00é\xff") for _ in range(size)),
                "".join(draw.choice("aé\u0100犬\U0001f436") for _ in range(size)),
            ]
        )

    stamps = [[thing(), "OFU9Mk----1mmxrx", draw.randrange(2**32)] for _ in range(500)]
    ours = [encode_stamp(*stamp) for stamp in stamps]
    assert [decode_stamp(data) for data in ours] == stamps, seed
    values = [[ABSENT if value is UNDEFINED else value for value in stamp] for stamp in stamps]
    read = sync_js("hosted.deserialize", buffers=ours)
    assert [[repr(value) for value in stamp] for stamp in read] == [
        [repr(value) for value in stamp] for stamp in values
    ], seed
    theirs = sync_js("hosted.serialize", values=values)
    assert [decode_stamp(bytes(data)) for data in theirs] == stamps, seed
    for stamp, our, their in zip(stamps, ours, theirs, strict=True):
        # Small integers have 31 bits in workerd and 32 in Node.
        if not any(isinstance(value, int) and abs(value + 0.5) >= 2**30 for value in stamp):
            assert bytes(their) == our, seed


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\x0f",
        b"\xff\x10A\x03I\x00\x22\x00I\x00$\x00\x03",
        b"\xff\x0fo",
        b"\xff\x0fA\x02I\x00\x22\x00$\x00\x02",
        b"\xff\x0fA\x03I\x00\x22\x00I\x00$\x00\x03\x00",
        b"\xff\x0fA\x03I\x00\x22\x00I\x00$\x00\x04",
        b"\xff\x0fA\x03I\x00\x22\x00o{\x00$\x00\x03",
        b"\xff\x0fA\x03I\x00I\x00I\x00$\x00\x03",
        b"\xff\x0fA\x03I\x00\x22\x00T$\x00\x03",
        b"\xff\x0fA\x03I\xff\xff\xff\xff\xff\xff\x01\x22\x00I\x00$\x00\x03",
        b"\xff\x0fA\x03N\x00\x00\x00\x00\x00\x00\xf0\x7f\x22\x00I\x00$\x00\x03",
        b"\xff\x0fA\x03c\x03abc\x22\x00I\x00$\x00\x03",
        b"\xff\x0fA\x03c\x02\x00\xd8\x22\x00I\x00$\x00\x03",
        b"\xff\x0fa\x03I\x00I\x00I\x04\x22\x00I\x02I\x00@\x03\x03",
    ],
)
def test_what_is_no_stamp_is_refused(data: bytes) -> None:
    with pytest.raises(StorageError):
        decode_stamp(data)


@pytest.mark.parametrize("seed", range(2))
def test_bytes_that_were_cut_or_changed_are_read_or_refused(seed: int) -> None:
    draw = random.Random(seed)
    for data in STORED.values():
        for end in range(len(data)):
            with pytest.raises(StorageError):
                decode_stamp(data[:end])
        for _ in range(100):
            changed = bytearray(data)
            changed[draw.randrange(len(data))] = draw.randrange(256)
            try:
                decode_stamp(bytes(changed))
            except StorageError:
                continue
