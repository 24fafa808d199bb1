"""What reads bytes of others: each function returns, or fails where something is wrong with weft."""

from __future__ import annotations

from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING

from weft._codecs.automerge.sync_message import parse_sync_message
from weft._codecs.yjs.guard import check_update
from weft.documents import AutomergeDocument, UpdateLog, compact_updates
from weft.documents.yjs import YDocument, create_doc
from weft.errors import RemoteProtocolError, UnreadableContentError
from weft.limits import DEFAULT_LIMITS
from weft.protocols.automerge_repo.cbor import decode, encode
from weft.protocols.automerge_repo.messages import read_message
from weft.protocols.awareness import Awareness
from weft.protocols.ysync.messages import read_frame

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["TARGETS", "pieces", "seeds"]


def pieces(data: bytes) -> Iterator[bytes]:
    """Cut data into updates: two bytes say how long each is."""
    at = 0
    while at + 2 < len(data):
        end = at + 2 + int.from_bytes(data[at : at + 2])
        yield data[at + 2 : end]
        at = end


def guard(data: bytes) -> None:
    """What passes the gate does not harm the binding."""
    doc = create_doc(client_id=1)
    with suppress(RemoteProtocolError, UnreadableContentError):
        check_update(data)
        YDocument.of(doc).apply(data, origin="fuzz")
        again = create_doc(client_id=2)
        again.apply_update(doc.get_update())
        assert again.get_state() == doc.get_state()


def log(data: bytes) -> None:
    """What a log has taken in it can give, and what it gives means the same."""
    found = UpdateLog()
    given: list[bytes] = []
    for update in pieces(data):
        state, deletes = found.state(), found.deletes()
        try:
            given += found.add(update).updates
        except RemoteProtocolError:
            assert (found.state(), found.deletes()) == (state, deletes)
    other = UpdateLog.of([found.diff()])
    assert (other.state(), other.deletes()) == (found.state(), found.deletes())
    assert not other.is_waiting
    assert UpdateLog.of(given).state() == found.state()
    if given and (compacted := compact_updates(given)) is not None:
        assert (
            UpdateLog.of([compacted.snapshot, *(given[at] for at in compacted.kept)]).state() == found.state()
        )


def awareness(data: bytes) -> None:
    """What is refused changes nothing; what is kept can be told to others."""
    states = Awareness(1)
    for message in pieces(data):
        before = dict(states.states)
        try:
            states.apply(message, now=0.0)
        except RemoteProtocolError:
            assert states.states == before
    other = Awareness(2)
    other.apply(states.encode(), now=0.0)
    told = {client: state for client, state in states.states.items() if client != 2}
    assert {client: state for client, state in other.states.items() if client != 2} == told


def cbor(data: bytes) -> None:
    """What is read can be written and is the same."""
    with suppress(RemoteProtocolError):
        value = decode(data)
        assert encode(decode(encode(value))) == encode(value)  # a NaN is not equal to itself
        read_message(data)


def sync(data: bytes) -> None:
    """Messages of y-websocket."""
    with suppress(RemoteProtocolError):
        read_frame(data, DEFAULT_LIMITS)


def automerge(data: bytes) -> None:
    """Sync messages of Automerge, and a document that is given them."""
    document = AutomergeDocument(actor=b"\1" * 16)
    state = document.new_sync_state()
    for message in pieces(data):
        heads = document.heads
        try:
            parse_sync_message(message)
            document.receive_sync_message(state, message)
        except RemoteProtocolError:
            assert document.heads == heads
    assert AutomergeDocument(document.save()).heads == document.heads


TARGETS: dict[str, Callable[[bytes], None]] = {
    target.__name__: target for target in (guard, log, awareness, cbor, sync, automerge)
}
"""By name."""


def _joined(updates: Iterator[bytes], count: int) -> bytes:
    return b"".join(len(update).to_bytes(2) + update for update in islice(updates, count))


def seeds(name: str) -> list[bytes]:
    """Inputs to begin with: what the live fuzzing says, taken out of its frames."""
    from fuzz.live.repo import drawn_messages as repo_messages
    from fuzz.live.yjs import drawn_messages, drawn_updates

    match name:
        case "guard":
            return list(drawn_updates(300))
        case "log":
            updates = drawn_updates(600)
            return [_joined(updates, 4) for _ in range(150)]
        case "awareness":
            states = (message[3:] for message in drawn_messages(4000) if message[:1] == b"\1")
            return [_joined(states, 3) for _ in range(60)]
        case "sync":
            return list(drawn_messages(300))
        case "cbor":
            return list(repo_messages(300))
    syncs: list[bytes] = []
    for message in repo_messages(600):
        with suppress(RemoteProtocolError):
            fields = decode(message)
            if isinstance(fields, dict) and isinstance(fields.get("data"), bytes):
                syncs.append(fields["data"])
    left = iter(syncs)
    return [_joined(left, 3) for _ in range(len(syncs) // 3)]
