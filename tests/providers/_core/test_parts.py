from __future__ import annotations

from dataclasses import dataclass

from weft.providers._core.parts import send_less


@dataclass
class Session:
    max_part: int


def test_parts_become_smaller_until_no_server_could_mind_them() -> None:
    session = Session(16 << 20)
    sizes = []
    while send_less(session, session.max_part):
        sizes.append(session.max_part)
    assert sizes == [4 << 20, 1 << 20, 256 << 10, 64 << 10]


def test_what_cannot_be_cut_is_not_helped() -> None:
    session = Session(1 << 20)
    assert not send_less(session, (1 << 20) + 1)
    assert session.max_part == 1 << 20
