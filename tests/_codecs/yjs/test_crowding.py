from __future__ import annotations

import pytest

from support.ywriter import ANY_NULL, item, key_item, section, update
from weft._codecs.yjs.crowding import check_crowding
from weft._codecs.yjs.structs import read_update
from weft.errors import RemoteProtocolError


def by_many(*structs: bytes) -> bytes:
    """Each of these by a client of its own."""
    return update(*(section(100 + client, 0, struct) for client, struct in enumerate(structs)))


def check(data: bytes) -> None:
    check_crowding(read_update(data)[0], 9)


@pytest.mark.parametrize("struct", [key_item("k"), item(8, b"\x01" + ANY_NULL), b"\x88\x05\x00\x01\x7e"])
def test_too_many_that_write_at_one_place_are_refused(struct: bytes) -> None:
    check(by_many(*[struct] * 9))
    with pytest.raises(RemoteProtocolError, match="10 clients that write at one place"):
        check(by_many(*[struct] * 10))


def test_many_that_write_at_many_places_are_not() -> None:
    check(by_many(*(key_item(f"k{number}") for number in range(100))))
    check(by_many(*(b"\xc8\x05\x00\x05" + bytes([number]) + b"\x01\x7e" for number in range(1, 100))))


def test_one_client_may_write_at_a_place_again_and_again() -> None:
    check(
        update(
            section(1, 0, *[key_item("k")] * 100), *(section(2 + n, 0, key_item(f"{n}")) for n in range(20))
        )
    )
