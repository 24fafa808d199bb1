"""Changes whose operations are numbered in a way that spoils the document are refused."""

from __future__ import annotations

import pytest

from support.amdocs import content, log_of, put
from support.automerge_chunks import ACTOR, BACKWARDS, OTHER, chunk, honest_changes, numbered_wrongly
from weft._codecs.automerge.change_builder import ChangeBuilder
from weft._codecs.automerge.chunks import DOCUMENT, MAX_COUNTER, MAX_LEAP, split_chunks
from weft._codecs.automerge.leb128 import write_int, write_uint
from weft._codecs.automerge.sync_message import make_sync_message
from weft.documents.automerge.binding import SyncState, decode_message, new_core
from weft.documents.automerge.document import AutomergeDocument, DocumentEvent
from weft.documents.automerge.sync_state import PeerSyncState
from weft.errors import RemoteProtocolError


def test_a_saved_document_that_the_binding_passes_over_is_refused_and_not_remembered() -> None:
    document = AutomergeDocument()
    saved, _ = honest_changes()
    body = bytearray(saved[split_chunks(saved)[0].start :])
    at = 1 + 17 + 1  # its one head
    body[at : at + 32] = bytes(32)
    with pytest.raises(RemoteProtocolError):
        document.apply_changes([chunk(DOCUMENT, bytes(body))])
    put(document, "a", 1)
    with pytest.raises(RemoteProtocolError, match="numbered"):
        document.apply_changes([numbered_wrongly(document)])  # it is put back as it was
    assert content(document) == {"a": 1}


def test_a_change_with_which_a_saved_document_could_not_be_loaded_is_refused() -> None:
    document = AutomergeDocument()
    put(document, "a", 1)
    events: list[DocumentEvent] = []
    document.subscribe(events.append)
    before = document.heads
    with pytest.raises(RemoteProtocolError, match="numbered"):
        document.apply_changes([numbered_wrongly(document)])
    assert (document.heads, content(document), events) == (before, {"a": 1}, [])
    AutomergeDocument(document.save())


def _headed(start_op: int = 1, time: int = 0) -> bytes:
    """A change that sets one key, with numbers of an attacker's choice in its head."""
    (raw,) = log_of(1)
    body = raw[split_chunks(raw)[0].start :]
    head = b"\0\x10" + OTHER + b"\1"
    assert body.startswith(head + b"\1\0")
    return chunk(1, head + write_uint(start_op) + write_int(time) + body[len(head) + 2 :])


@pytest.mark.parametrize(
    "change",
    [
        _headed(start_op=2**32 - 1),  # the binding cannot load what it saves
        _headed(start_op=2**32 - 200),  # nothing more can be written after some changes
        _headed(start_op=2**64 - 1),
        _headed(time=-(2**63)),  # with another change behind it, what is saved cannot be loaded
        _headed(time=2**63 - 1),
    ],
)
def test_a_change_with_numbers_that_the_binding_cannot_keep_is_refused(change: bytes) -> None:
    document = AutomergeDocument()
    put(document, "a", 1)
    before = document.heads
    with pytest.raises(RemoteProtocolError):
        document.apply_changes([change])
    assert document.heads == before


@pytest.mark.parametrize("change", [_headed(start_op=2**32 - 200), _headed(time=-(2**63))])
def test_a_saved_document_with_such_a_change_is_refused(change: bytes) -> None:
    core = new_core(ACTOR)
    core.receive_sync_message(SyncState(), decode_message(make_sync_message([], [change])))
    saved = bytes(core.save())
    assert split_chunks(saved)[0].kind == DOCUMENT
    document = AutomergeDocument()
    with pytest.raises(RemoteProtocolError):
        document.apply_changes([saved])
    assert document.heads == ()


def test_numbers_and_times_as_peers_have_them_are_taken() -> None:
    document, other = AutomergeDocument(), AutomergeDocument()
    document.apply_changes([_headed(start_op=10**7, time=1_800_000_000_000)])
    put(document, "a", 1)
    other.apply_changes([document.save()])
    assert (other.heads, content(other)) == (document.heads, {"a": 1, "k0": 0})


@pytest.mark.parametrize(
    ("known", "brought"),
    [
        ((0, 1), (2,)),
        ((0,), (1, 2)),
        ((), (0, 1, 2)),
        ((0,), (2,)),  # a number is left out
        ((), (2, 1, 0)),
    ],
)
def test_operations_grow_along_an_actor(
    known: tuple[int, ...], brought: tuple[int, ...], capfd: pytest.CaptureFixture[str]
) -> None:
    document = AutomergeDocument.from_rows([BACKWARDS[at] for at in known])
    events: list[DocumentEvent] = []
    document.subscribe(events.append)
    before = document.heads
    message = make_sync_message((), [BACKWARDS[at] for at in brought])
    for _ in range(2):
        with pytest.raises(RemoteProtocolError, match=r"of its actor|actor's last"):
            document.receive_sync_message(document.new_sync_state(), message)
        with pytest.raises(RemoteProtocolError, match=r"of its actor|actor's last"):
            document.apply_changes([BACKWARDS[at] for at in brought])
    assert (document.heads, events) == (before, [])
    assert capfd.readouterr().err == ""  # the binding, which would panic, has not seen it
    AutomergeDocument(document.save())


def test_one_that_waited_and_is_numbered_backwards_is_refused_when_what_it_waits_for_comes() -> None:
    document, late = AutomergeDocument(), PeerSyncState()
    first, second, third = BACKWARDS
    document.receive_sync_message(late, make_sync_message((), [third]))
    document.receive_sync_message(document.new_sync_state(), make_sync_message((), [first, second]))
    before = document.heads
    with pytest.raises(RemoteProtocolError, match="actor's last"):
        document.receive_sync_message(late, make_sync_message(()))
    assert document.heads == before != ()


def test_two_changes_of_one_number_are_not_both_taken_in() -> None:
    one = AutomergeDocument(actor=ACTOR)
    other = AutomergeDocument(actor=ACTOR)
    put(one, "a", 1)
    put(other, "b", 2)
    before = one.heads
    with pytest.raises(RemoteProtocolError, match="number 1 of its actor, of which 1 are here"):
        one.apply_changes(other.changes_since(()))
    assert one.heads == before


@pytest.mark.parametrize(
    ("behind", "start_op", "operations", "is_taken"),
    [(0, 1, 0, True), (0, 3, 0, False), (2, 3, 0, True), (2, 5, 0, False), (0, 3, 1, True)],
)
def test_a_change_without_operations_is_numbered_behind_what_it_follows_on(
    behind: int, start_op: int, operations: int, *, is_taken: bool
) -> None:
    """Otherwise what is saved cannot be loaded: "missing ops"."""

    def made(actor: bytes, start_op: int, count: int, deps: list[bytes]) -> bytes:
        builder = ChangeBuilder(actor=actor, seq=1, start_op=start_op, deps=deps)
        for number in range(count):
            builder.put(None, f"k{number}", number)
        return builder.chunk()

    document = AutomergeDocument()
    first = [made(ACTOR, 1, behind, [])] if behind else []
    deps = [split_chunks(change)[0].hash for change in first]
    changes = [*first, made(OTHER, start_op, operations, deps)]
    if is_taken:
        document.apply_changes(changes)
    else:
        with pytest.raises(RemoteProtocolError, match="without operations"):
            document.apply_changes(changes)
    assert AutomergeDocument(document.save()).heads == document.heads


@pytest.mark.parametrize("last", [1, 2])
def test_a_change_that_does_not_follow_on_its_actors_last_one_is_refused(last: int) -> None:
    """Otherwise what is saved cannot be loaded: "missing ops"."""
    changes: list[bytes] = []
    for seq in range(1, last + 2):
        deps = [split_chunks(changes[-1])[0].hash] if 1 < seq <= last else []
        builder = ChangeBuilder(actor=ACTOR, seq=seq, start_op=seq, deps=deps)
        builder.put(None, "k", seq)
        changes.append(builder.chunk())
    document = AutomergeDocument()
    document.apply_changes(changes[:last])
    before = document.heads
    with pytest.raises(RemoteProtocolError, match="actor's last"):
        document.apply_changes(changes[last:])
    assert AutomergeDocument(document.save()).heads == document.heads == before


def test_a_change_that_leaves_out_numbers_without_end_is_refused() -> None:
    document = AutomergeDocument()
    put(document, "a", 1)
    for start in (4 + MAX_LEAP, MAX_COUNTER):
        with pytest.raises(RemoteProtocolError, match="is the last that is here"):
            document.apply_changes([_headed(start_op=start)])
    document.apply_changes([_headed(start_op=2 + MAX_LEAP)])  # its maker may have known more
    put(document, "b", 2)  # numbered behind it
    assert content(document)["b"] == 2
    other = AutomergeDocument()
    other.apply_changes([document.save()])
    assert content(other) == content(document)


def test_one_that_was_stored_before_there_was_a_bound_is_read() -> None:
    rows = [_headed(start_op=MAX_COUNTER - 100)]
    document = AutomergeDocument.from_rows(rows)
    assert not document.left_out
    put(document, "b", 2)
    assert content(AutomergeDocument.from_rows([*rows, document.save()]))["b"] == 2
