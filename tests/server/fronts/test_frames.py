"""Frames, against what the ``websockets`` package makes of the same bytes."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from websockets.client import ClientProtocol
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import CloseCode, Frame, Opcode
from websockets.protocol import OPEN
from websockets.server import ServerProtocol
from websockets.uri import parse_uri

from weft.server.fronts.frames import (
    BINARY,
    CLOSE,
    CONT,
    PONG,
    FrameError,
    FrameReader,
    close_frame,
    control_frame,
    encode_compressed,
    encode_messages,
    read_close,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from websockets.extensions import Extension

MAX = 1_000


def deflate() -> PerMessageDeflate:
    return PerMessageDeflate(
        remote_no_context_takeover=False,
        local_no_context_takeover=False,
        remote_max_window_bits=15,
        local_max_window_bits=15,
    )


def ours(
    pieces: Sequence[bytes], extensions: Sequence[Extension] = ()
) -> tuple[list[tuple[int, bytes]], int]:
    """What comes of the pieces, up to a close frame, and the close code of what is wrong; 0 for nothing."""
    reader = FrameReader(max_message=MAX, extensions=extensions)
    seen: list[tuple[int, bytes]] = []
    try:
        for piece in pieces:
            reader.feed(piece)
            while (message := reader.read()) is not None:
                if message[0] == CONT:
                    continue
                seen.append(message)
                if message[0] == CLOSE:
                    read_close(message[1])
                    return seen, 0
    except FrameError as error:
        return seen, error.code
    return seen, 0


def theirs(
    pieces: Sequence[bytes], extensions: Sequence[Extension] = ()
) -> tuple[list[tuple[int, bytes]], int]:
    protocol = ServerProtocol(state=OPEN, max_size=MAX)
    protocol.extensions = list(extensions)
    seen: list[tuple[int, bytes]] = []
    kind, parts = 0, b""
    for piece in pieces:
        protocol.receive_data(piece)
    for frame in protocol.events_received():
        assert isinstance(frame, Frame)
        if frame.opcode in {Opcode.TEXT, Opcode.BINARY, Opcode.CONT}:
            kind = kind if frame.opcode is Opcode.CONT else int(frame.opcode)
            parts += bytes(frame.data)
            if frame.fin:
                seen.append((kind, parts))
                parts = b""
        else:
            seen.append((int(frame.opcode), bytes(frame.data)))
    sent = protocol.close_sent
    wrong = protocol.parser_exc is not None and sent is not None
    return seen, int(sent.code) if wrong and sent is not None else 0


def client_frame(opcode: int, data: bytes, *, fin: bool = True, reserved: int = 0) -> bytes:
    frame = bytearray(Frame(Opcode(opcode), data, fin).serialize(mask=True))
    frame[0] |= reserved
    return bytes(frame)


def script(rng: random.Random) -> bytes:
    """Frames of a client that is mostly honest."""
    frames = b""
    for _ in range(rng.randint(1, 6)):
        size = rng.choice([0, 1, 5, 125, 126, 127, 300])
        data = rng.randbytes(size)
        match rng.randint(0, 9):
            case 0:
                frames += client_frame(9, data[:125])
            case 1:
                frames += client_frame(10, data[:125])
            case 2:
                frames += client_frame(2, data, fin=False)
                for _ in range(rng.randint(0, 3)):
                    frames += client_frame(0, data, fin=False)
                    if rng.random() < 0.3:
                        frames += client_frame(9, b"between")
                frames += client_frame(0, data)
            case 3:
                frames += client_frame(rng.choice([0, 1, 2]), data, fin=rng.random() < 0.5)
            case 4 if rng.random() < 0.3:
                code = rng.choice([999, 1000, 1005, 1006, 1013, 4400])
                frames += client_frame(8, code.to_bytes(2, "big") + rng.choice([b"bye", b"\xff"]))
            case 5 if rng.random() < 0.2:
                frames += client_frame(2, data, reserved=rng.choice([0x40, 0x20, 0x10]))
            case 6 if rng.random() < 0.2:
                frames += Frame(Opcode.BINARY, data).serialize(mask=False)
            case 7 if rng.random() < 0.2:
                frames += client_frame(2, bytes(MAX + 1))
            case _:
                frames += client_frame(2, data)
    damaged = bytearray(frames)
    if rng.random() < 0.3:
        damaged[rng.randrange(len(damaged))] = rng.randrange(256)
    return bytes(damaged)


def pieces_of(rng: random.Random, data: bytes) -> list[bytes]:
    cuts = sorted(rng.randrange(len(data) + 1) for _ in range(rng.randint(0, 5)))
    return [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]


@pytest.mark.parametrize("block", range(10))
def test_frames_read_as_the_package_reads_them(block: int) -> None:
    for seed in range(block * 300, block * 300 + 300):
        rng = random.Random(seed)
        pieces = pieces_of(rng, script(rng))
        seen, code = ours(pieces)
        expected, wrong = theirs(pieces)
        if code == 0 and wrong == 1002 and seen[-1][0] == CLOSE:
            continue  # a client may go in the middle of a message; to theirs that is an error
        if code == 0:
            assert (seen, wrong) == (expected, 0), seed
        elif wrong == 0:  # ours is refused by its header; theirs when the rest is there
            assert theirs([*pieces, bytes(MAX)])[1] == code, seed
        else:  # two things may be wrong with one frame
            assert code == wrong or {code, wrong} == {1002, 1009}, (seed, code, wrong)


def test_compressed_frames_read_as_the_package_reads_them() -> None:
    for seed in range(200):
        rng = random.Random(seed)
        client = deflate()
        frames = b""
        for _ in range(rng.randint(1, 5)):
            data = bytes(rng.choice(b"ab") for _ in range(rng.randint(0, 400)))
            if rng.random() < 0.3:
                cut = len(data) // 2
                frames += Frame(Opcode.BINARY, data[:cut], False).serialize(mask=True, extensions=[client])
                frames += Frame(Opcode.CONT, data[cut:]).serialize(mask=True, extensions=[client])
            else:
                frames += Frame(Opcode.BINARY, data).serialize(mask=True, extensions=[client])
        if rng.random() < 0.3:
            frames += Frame(Opcode.BINARY, bytes(MAX + 1)).serialize(mask=True, extensions=[client])
        pieces = pieces_of(rng, frames)
        assert ours(pieces, [deflate()]) == theirs(pieces, [deflate()]), seed


def test_a_message_that_is_too_large_is_refused_before_it_has_come() -> None:
    for data, fragments in [(bytes(70_000), 0), (bytes(600), 1)]:
        reader = FrameReader(max_message=MAX)
        for _ in range(fragments):
            reader.feed(Frame(Opcode.BINARY, data, False).serialize(mask=True))
            assert reader.read() == (CONT, data)
        opcode = Opcode.CONT if fragments else Opcode.BINARY
        reader.feed(Frame(opcode, data).serialize(mask=True)[:14])
        with pytest.raises(FrameError) as caught:
            reader.read()
        assert caught.value.code == CloseCode.MESSAGE_TOO_BIG


def test_what_is_written_reads_as_it_was() -> None:
    messages = [bytes(size) for size in (0, 1, 125, 126, 65_535, 65_536, 100_000)]
    for data, extensions in [
        (encode_messages(messages), []),
        (encode_compressed(messages, [deflate()]), [deflate()]),
    ]:
        client = ClientProtocol(parse_uri("ws://x/"), state=OPEN, max_size=None)
        client.extensions = list(extensions)
        client.receive_data(data)
        frames = [frame for frame in client.events_received() if isinstance(frame, Frame)]
        assert [bytes(frame.data) for frame in frames] == messages
        assert all(frame.opcode is Opcode.BINARY for frame in frames)


def test_control_frames() -> None:
    assert control_frame(PONG, b"x") == b"\x8a\x01x"
    assert close_frame(1013, "é" * 100) == b"\x88\x7c" + (1013).to_bytes(2, "big") + "é".encode() * 61
    assert read_close(b"") == (1005, "")
    assert ours([]) == ([], 0)
    assert BINARY == Opcode.BINARY
