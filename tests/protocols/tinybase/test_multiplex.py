"""Channels over one connection: control frames as TinyBase's, and names that can be a path."""

from __future__ import annotations

from typing import Any

import pytest

from support.vectors import vectors
from weft.documents.mergeable import from_json
from weft.errors import RemoteProtocolError
from weft.protocols.tinybase import (
    MAX_CHANNELS,
    ChannelFrame,
    Channels,
    Control,
    ControlFrame,
    channel_frame,
    check_channel,
    close_code,
    hello,
    read_multiplexed,
)


def test_the_frames_of_tinybase_are_read_and_written_byte_for_byte() -> None:
    part = vectors("tinybase_sync")["multiplex"]
    texts = [
        from_json(line.split(" ", 2)[2])
        for line in (*part["transcript"], *part["afterAll"])
        if line.startswith("conn1") and "HANDSHAKE" not in line and "CLOSE" not in line
    ]
    assert len(texts) > 12
    for text in texts:
        frame = read_multiplexed(text)
        if isinstance(frame, ControlFrame):
            assert frame.encode() == text
        else:
            assert channel_frame(frame.channel, frame.frame) == text
    assert hello("3UFz8ZO3Tiu-L_j6").encode() == texts[0]


@pytest.mark.parametrize("channel", ["one", "a/b", "a b%", "é", "x" * 1024, "...", "M", "S"])
def test_a_name_can_be_any_path(channel: str) -> None:
    assert check_channel(channel) == channel
    assert read_multiplexed(channel_frame(channel, "\nx")) == ChannelFrame(channel, "\nx")


@pytest.mark.parametrize(
    "channel",
    ["", "/", "a/", "/a", "a//b", ".", "..", "a/../b", "a\nb", "a\rb", "a?b", "a#b", "x" * 1025, "\ud800"],
)
def test_other_names_are_refused(channel: str) -> None:
    with pytest.raises(ValueError, match="channel"):
        check_channel(channel)


def test_a_name_is_text() -> None:
    with pytest.raises(TypeError, match="name of a channel"):
        check_channel(5)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "S\n",
        "S\nnot json",
        'S\n["r",1,""]',
        'S\n["r",-1,[0,2]]',
        "S\n[null,-1,[0,1]]",
        'S\n[null,-1,[1,"a"]]',
        'S\n["r",-1,[2,"a"]]',
        'S\n["r",-1,[3,"a"]]',
        'S\n["r",-1,[1,5]]',
        'S\n["r",-1,[1,"../x"]]',
        "M\nchannel",
        "M\n\n\nx",
        "\n[]",
        "X\na\nb",
    ],
)
def test_other_frames_are_refused(text: str) -> None:
    with pytest.raises(RemoteProtocolError):
        read_multiplexed(text)


def subscribe(channel: str, request_id: Any = "r") -> str:
    return ControlFrame(Control.SUBSCRIBE, request_id, channel).encode()


def test_a_server_opens_and_closes_channels() -> None:
    channels = Channels()
    assert channels.receive(subscribe("a")) == (None, None), "before the hello it is passed over"
    assert channels.receive(hello("h").encode()) == (None, hello("h").encode())
    frame, answer = channels.receive(subscribe("a"))
    assert isinstance(frame, ControlFrame)
    assert (frame.control, frame.argument, answer) == (Control.SUBSCRIBE, "a", subscribe("a"))
    assert channels.receive(subscribe("a")) == (None, subscribe("a"))
    assert channels.receive("M\na\n\nx") == (ChannelFrame("a", "\nx"), None)
    unsubscribe = ControlFrame(Control.UNSUBSCRIBE, None, "a")
    assert channels.receive(unsubscribe.encode()) == (unsubscribe, None)
    assert channels.receive(unsubscribe.encode()) == (None, None)
    with pytest.raises(RemoteProtocolError, match="not open") as refused:
        channels.receive("M\na\n\nx")
    assert close_code(refused.value) == (1007, "tinybase:14")


def test_channels_are_bounded() -> None:
    channels = Channels()
    channels.receive(hello("h").encode())
    for number in range(MAX_CHANNELS):
        channels.receive(subscribe(str(number)))
    with pytest.raises(RemoteProtocolError) as refused:
        channels.receive(subscribe("one too many"))
    assert close_code(refused.value) == (1013, "tinybase:15:channels")
