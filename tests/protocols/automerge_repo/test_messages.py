from __future__ import annotations

import pytest

from weft.errors import RemoteProtocolError
from weft.protocols.automerge_repo import EphemeralMessage, encode, encode_document_id
from weft.protocols.automerge_repo.messages import (
    ErrorMessage,
    IgnoredMessage,
    Join,
    Leave,
    Message,
    PeerMessage,
    Sync,
    UnavailableMessage,
    read_message,
    write_message,
)

PETS = encode_document_id(bytes(range(16)))


@pytest.mark.parametrize(
    "message",
    [
        Join("me", ("1", "2"), {"isEphemeral": True}),
        PeerMessage("me", "1", {}),
        ErrorMessage("unsupported protocol version"),
        Sync("me", PETS, b"\x42", is_request=False),
        Sync("me", PETS, b"\x42", is_request=True),
        UnavailableMessage("me", PETS),
        EphemeralMessage("me", PETS, "session", 7, b"\x01"),
        Leave(),
    ],
)
def test_what_is_written_is_read(message: Message) -> None:
    assert read_message(write_message(message, sender="me", target="you")) == message
    assert read_message(write_message(message, sender="me", target=None)) == message


def test_a_message_of_a_later_version_is_read_and_not_written() -> None:
    assert read_message(encode({"type": "remote-heads-changed"})) == IgnoredMessage("remote-heads-changed")
    with pytest.raises(ValueError, match="cannot be written"):
        write_message(IgnoredMessage("remote-heads-changed"), sender="me", target=None)


def test_javascript_s_numbers_and_missing_versions_are_taken() -> None:
    ephemeral = {"type": "ephemeral", "senderId": "me", "documentId": PETS, "sessionId": "s", "data": b"1"}
    assert read_message(encode({**ephemeral, "count": 7.0})) == EphemeralMessage("me", PETS, "s", 7, b"1")
    assert read_message(encode({"type": "join", "senderId": "me"})) == Join("me", ("1",), {})
    for count in (7.5, -1, 2**53, "7", True):
        with pytest.raises(RemoteProtocolError, match="count"):
            read_message(encode({**ephemeral, "count": count}))
