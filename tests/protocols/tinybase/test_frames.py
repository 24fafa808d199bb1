"""Frames: addresses, parts, and how a connection is closed on which something wrong comes."""

from __future__ import annotations

from typing import Any

import pytest

from support.vectors import vectors
from weft.errors import MessageTooLargeError, RemoteProtocolError
from weft.protocols.tinybase import (
    Channels,
    FrameReader,
    Message,
    MessageType,
    close_code,
    frames_of,
    text_of,
)


def name(length: int) -> str:
    return "x" * length


def test_a_message_goes_through_frames_of_either_kind() -> None:
    message = Message("abc", MessageType.CONTENT_HASHES, [1, 2])
    assert frames_of(None, message, name) == ['\n["abc",2,[1,2]]']
    assert frames_of("S", message, name) == ['S\n["abc",2,[1,2]]']
    for size in (None, 4, 60):
        reader = FrameReader(1000)
        *first, last = frames_of("peer", message, name, size)
        assert [reader.receive(frame, 0) for frame in first] == [None] * len(first)
        frame = reader.receive(last.encode(), 0)  # a binary frame is taken for its text
        assert frame is not None
        assert (frame.address, frame.message) == ("peer", message)
        assert frame.relayed("other") == [text.replace("peer\n", "other\n", 1) for text in (*first, last)]


def test_parts_are_forgotten_with_the_connection() -> None:
    reader = FrameReader(1000)
    first, *rest = frames_of("peer", Message("abc", MessageType.CONTENT_HASHES, [1, 2]), name, 10)
    reader.receive(first, 0)
    reader.clear()
    assert [reader.receive(frame, 0) for frame in rest] == [None] * len(rest)


@pytest.mark.parametrize("case", vectors("tinybase_sync")["raw"], ids=lambda case: repr(case["frames"])[:40])
def test_what_tinybase_closes_for_is_refused_here_with_the_same_code(case: dict[str, Any]) -> None:
    closing = next((said for said in case["got"] if said.startswith("CLOSE")), None)
    channels = Channels() if case["proto"] == "tinybase" else None
    reader = FrameReader(1 << 24)
    answers = []
    closed = None
    try:
        for text in case["frames"]:
            if channels is None:
                reader.receive(text, 0)
            else:
                _, answer = channels.receive(text)
                answers += [answer] if answer is not None else []
    except RemoteProtocolError as error:
        code, reason = close_code(error)
        closed = f"CLOSE {code} {reason}"
    assert closed == closing
    assert answers == [said for said in case["got"] if said.startswith("S\n")]


def test_a_frame_that_is_too_large_is_refused_by_its_bytes() -> None:
    assert text_of("é" * 500, 1000)
    with pytest.raises(MessageTooLargeError) as refused:
        text_of("é" * 501, 1000)
    assert close_code(refused.value) == (1013, "tinybase:15:socket")
    with pytest.raises(MessageTooLargeError):
        FrameReader(10).receive("x" * 11, 0)


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(RemoteProtocolError, match="not UTF-8"):
        FrameReader(100).receive(b"\xff\n[]", 0)
