"""Messages: what is one, what is none, and nothing between the two."""

from __future__ import annotations

from typing import Any

import pytest

from support.vectors import vectors
from weft.documents.mergeable import from_json
from weft.errors import RemoteProtocolError
from weft.protocols.tinybase import (
    Message,
    MessageType,
    check_message,
    decode_message,
    encode_message,
)
from weft.values import UNDEFINED

HLC = "OFU9Mk-----FnHIC"


def transcript_messages() -> list[str]:
    found = []
    for part in ("server", "multiplex"):
        for line in vectors("tinybase_sync")[part]["transcript"]:
            name, way, text = line.split(" ", 2)
            if name.startswith("conn") and way in {"c>s", "s>c"} and text.startswith('"'):
                rest = from_json(text).rpartition("\n")[2]
                if from_json(rest)[1] != -1:
                    found.append(rest)
    return found


def test_what_tinybase_sends_is_read_and_written_byte_for_byte() -> None:
    texts = transcript_messages()
    assert len(texts) > 40
    assert {decode_message(text).type for text in texts} == {0, 1, 2, 3, 4, 5, 7}
    for text in texts:
        assert encode_message(decode_message(text)) == text


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (0, [1, 2]),
        (0, [{}]),
        (0, [{"t": [{"r": [{"c": [1, HLC]}]}]}, HLC]),
        (0, [{"v": [1, HLC]}]),
        (0, [[{}], {}]),
        (0, [[{}], {"t": 5}]),
        (0, [[{}], {"t": {"r": 5}}]),
        (1, ""),
        (2, [0, 2**32 - 1]),
        (3, [[{}], [{}]]),
        (3, [[{}], [{"v": [UNDEFINED, HLC]}], 1]),
        (4, {}),
        (4, {"t": 1}),
        (5, {"t": {}}),
        (5, {"t": {"r": 1}}),
        (6, {"t": {"r": {}}}),
        (6, {"t": {"r": {"c": 1}}}),
        (7, {"v": 1}),
    ],
)
def test_every_form_is_taken(kind: int, body: Any) -> None:
    for request_id in ("abc", None):
        message = check_message(request_id, kind, body)
        assert message == Message(request_id, MessageType(kind), body)
        assert decode_message(encode_message(message)) == message


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (0, None),
        (0, []),
        (0, "x"),
        (0, {}),
        (0, [1, 2, 3]),
        (0, [{"t": 1}]),
        (0, [[{}], {"t": {"r": {"c": 1}}}]),
        (0, [[{}], {}, 1]),
        (1, None),
        (1, {}),
        (2, [1]),
        (2, [-1, 0]),
        (2, [2**32, 0]),
        (2, [1.5, 0]),
        (2, [True, 0]),
        (3, [[{}], [{}], 2]),
        (3, [[{}], [{}], True]),
        (3, [[{}]]),
        (3, [[{}, "", 5], [{}], 1]),
        (3, [[{"t": [{"r": [{"c": [1, "bad"]}]}]}], [{}], 1]),
        (3, [[{"t": [{"r": [{"c": []}]}]}], [{}], 1]),
        (3, [[[]], [{}], 1]),
        (4, {"t": {"r": 1}}),
        (4, []),
        (4, {"t": "1"}),
        (5, {"t": 1}),
        (6, {"t": {"r": 1}}),
        (7, {"v": None}),
        (-1, [0, 1]),
        (8, ""),
        (99, ""),
        (1.5, ""),
        (True, ""),
        ("1", ""),
        (None, ""),
    ],
)
def test_anything_else_is_refused(kind: Any, body: Any) -> None:
    with pytest.raises(RemoteProtocolError):
        check_message("abc", kind, body)


@pytest.mark.parametrize("request_id", [5, "x" * 2000, True, ["a"], {}])
def test_a_request_id_is_short_text_or_nothing(request_id: Any) -> None:
    with pytest.raises(RemoteProtocolError, match="request id"):
        check_message(request_id, 1, "")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "not json",
        "5",
        "{}",
        "[]",
        '["a",1]',
        '["a",1,"",0]',
        '["a",1,""',
        "[" * 20_000,
        '["a",NaN,1]',
    ],
)
def test_text_that_is_no_message_is_refused(text: str) -> None:
    with pytest.raises(RemoteProtocolError):
        decode_message(text)


def test_half_a_character_goes_on_as_it_came() -> None:
    text = '["a",3,[[{}],[{"v":["\\ud83d","OFU9Mk-----FnHIC"]}],1]]'
    assert encode_message(decode_message(text)) == text
    assert decode_message(text.replace("ud83d", "ud83d\\ude00")).body[1][0]["v"][0] == "😀"
