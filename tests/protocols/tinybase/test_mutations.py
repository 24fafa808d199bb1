"""Frames of real rooms, changed at random: taken, or refused with the protocol's own error."""

from __future__ import annotations

import json
from contextlib import suppress
from random import Random
from typing import Any

from support.vectors import vectors
from weft.documents.mergeable import MergeableDocument, from_json
from weft.errors import RemoteProtocolError
from weft.protocols.tinybase import (
    Channels,
    FrameReader,
    Message,
    MessageType,
    SendMessage,
    TinyBaseSession,
    encode_message,
)

ODD: list[Any] = [
    None,
    True,
    0,
    -1,
    1.5,
    2**53,
    "",
    "\ufffc",
    "\ufffd{",
    "x" * 40,
    [],
    {},
    [{}],
    [[{}], {}],
    [0, 0],
]
SWAPPED = '\n[]{},:"0123456789SMabc\\é\ufffc '


def frames() -> list[str]:
    found = []
    for part in ("server", "multiplex", "fragments"):
        for line in vectors("tinybase_sync")[part]["transcript"]:
            name, way, text = line.split(" ", 2)
            if name.startswith("conn") and way in {"c>s", "s>c"} and text.startswith('"'):
                found.append(from_json(text))
    return found


def changed(random: Random, value: Any) -> Any:
    """Something at a random place of a JSON value put in the place of what is there."""
    if isinstance(value, list) and value and random.random() < 0.8:
        at = random.randrange(len(value))
        return [changed(random, item) if number == at else item for number, item in enumerate(value)]
    if isinstance(value, dict) and value and random.random() < 0.8:
        key = random.choice(list(value))
        return {name: changed(random, item) if name == key else item for name, item in value.items()}
    return random.choice(ODD)


def mutated(random: Random, frame: str) -> str:
    if random.random() < 0.5:
        address, _, rest = frame.partition("\n")
        try:
            return f"{address}\n{json.dumps(changed(random, json.loads(rest)))}"
        except ValueError:
            pass
    letters = list(frame)
    for _ in range(random.randrange(1, 4)):
        at = random.randrange(len(letters))
        letters[at : at + random.randrange(3)] = random.choice(SWAPPED)
    return "".join(letters)


def test_mutated_frames_are_refused_or_taken() -> None:
    seed = 20261130
    print(f"seed {seed}")
    random, known = Random(seed), frames()
    refused = 0
    for _ in range(3_000):
        text = mutated(random, random.choice(known))
        reader, channels = FrameReader(1 << 20), Channels()
        document = MergeableDocument("a")
        session = TinyBaseSession(document, role="client", new_id=lambda length: "i" * length)
        session.connected(0)
        session.receive("S", Message("t", MessageType.CONTENT_HASHES, [1, 2]), 0)
        before = document.get_content()
        with suppress(RemoteProtocolError):
            channels.receive(text)
        try:
            frame = reader.receive(text, 0)
        except RemoteProtocolError:
            refused += 1
            assert document.get_content() == before
            continue
        if frame is not None:
            session.receive(frame.address, frame.message, 0)
    assert 500 < refused < 2_900


def test_mutated_answers_are_refused_or_taken() -> None:
    """A session is answered with anything that is a message, until it has nothing more to ask."""
    seed = 20261201
    print(f"seed {seed}")
    random = Random(seed)
    other = MergeableDocument("other")
    for number in range(6):
        other.set_cell(f"t{number % 2}", f"r{number % 3}", "c", number)
        other.set_value(f"v{number}", number)
    answers: list[Any] = [
        other.get_content_hashes(),
        other.get_table_diff({"t0": 1}),
        other.get_row_diff({"t0": {"r0": 1}}),
        other.get_cell_diff({"t0": {"r0": {}}}),
        other.get_value_diff({}),
    ]
    for _ in range(1_500):
        document = MergeableDocument("a")
        document.set_cell("t0", "r0", "c", 1)
        session = TinyBaseSession(document, role="client", new_id=lambda length: "i" * length)
        session.connected(0)
        session.local_change([[{}], [{"v": [1, "1" * 16]}], 1])
        effects = session.receive("S", Message("t", MessageType.CONTENT_HASHES, [1, 2]), 0)
        effects += session.request_flush(0)[1]
        for _ in range(12):
            asked = [effect for effect in effects if isinstance(effect, SendMessage) and effect.to == "S"]
            if not asked:
                break
            body = random.choice(answers)
            if random.random() < 0.6:
                body = changed(random, json.loads(encode_message(Message("x", MessageType.RESPONSE, body))))
            try:
                reader = FrameReader(1 << 20)
                text = json.dumps([asked[-1].message.request_id, 0, body])
                frame = reader.receive(f"S\n{text}", 0)
            except RemoteProtocolError:
                break
            assert frame is not None
            effects = session.receive("S", frame.message, 0)
        session.tick(100)
        session.disconnected()
