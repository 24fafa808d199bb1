"""TinyBase's synchronisation of mergeable stores (10.0.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft._support.lazy import lazy_exports

if TYPE_CHECKING:
    from weft.protocols.effects import Flushed as Flushed, FlushLost as FlushLost
    from weft.protocols.tinybase.changes import merge_changes as merge_changes
    from weft.protocols.tinybase.effects import (
        Effect as Effect,
        Refused as Refused,
        SendMessage as SendMessage,
        StoreLacks as StoreLacks,
        StoreMissing as StoreMissing,
        Synced as Synced,
        Unanswered as Unanswered,
    )
    from weft.protocols.tinybase.fragments import Fragments as Fragments
    from weft.protocols.tinybase.frames import (
        Frame as Frame,
        FrameReader as FrameReader,
        close_code as close_code,
        frames_of as frames_of,
        text_of as text_of,
    )
    from weft.protocols.tinybase.messages import (
        STORE as STORE,
        Message as Message,
        MessageType as MessageType,
        check_message as check_message,
        decode_message as decode_message,
        encode_message as encode_message,
    )
    from weft.protocols.tinybase.multiplex import (
        MAX_CHANNELS as MAX_CHANNELS,
        SUBPROTOCOL as SUBPROTOCOL,
        ChannelFrame as ChannelFrame,
        Channels as Channels,
        Control as Control,
        ControlFrame as ControlFrame,
        channel_frame as channel_frame,
        check_channel as check_channel,
        hello as hello,
        read_multiplexed as read_multiplexed,
    )
    from weft.protocols.tinybase.session import TinyBaseSession as TinyBaseSession
else:
    __getattr__, __dir__, __all__ = lazy_exports(
        __name__,
        {
            "changes": "merge_changes",
            "effects": "Effect Refused SendMessage StoreLacks StoreMissing Synced Unanswered",
            "fragments": "Fragments",
            "frames": "Frame FrameReader close_code frames_of text_of",
            "messages": "STORE Message MessageType check_message decode_message encode_message",
            "multiplex": "MAX_CHANNELS SUBPROTOCOL ChannelFrame Channels Control ControlFrame channel_frame "
            "check_channel hello read_multiplexed",
            "session": "TinyBaseSession",
            "weft.protocols.effects": "Flushed FlushLost",
        },
    )
