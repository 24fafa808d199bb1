"""What a document tells of its changes, to whom and in which order."""

from __future__ import annotations

import logging
import zlib
from typing import TYPE_CHECKING

from support.amdocs import content, log_of, put, sync
from weft._codecs.automerge.change import decode_change
from weft._codecs.automerge.chunks import COMPRESSED, split_chunks
from weft._codecs.automerge.leb128 import write_uint
from weft.documents.automerge.binding import ROOT, ScalarType
from weft.documents.automerge.document import AutomergeDocument, DocumentEvent

if TYPE_CHECKING:
    import pytest


def test_local_and_received_changes_are_told_once_with_heads_changes_and_origin() -> None:
    one, other = AutomergeDocument(), AutomergeDocument()
    local: list[DocumentEvent] = []
    received: list[DocumentEvent] = []
    one.subscribe(local.append)
    other.subscribe(received.append)
    origin = object()
    put(one, "a", 1, origin=origin)
    put(one, "b", 2)
    sync(one, other, origin=origin)
    assert [event.before for event in local] == [(), local[0].after]
    assert local[0].origin is origin
    assert local[1].origin is None
    (event,) = received
    assert (event.before, event.after, event.origin) == ((), one.heads, origin)
    assert event.changes == local[0].changes + local[1].changes
    assert content(other) == {"a": 1, "b": 2}


def test_an_empty_transaction_and_known_changes_are_told_to_nobody() -> None:
    document = AutomergeDocument()
    put(document, "a", 1)
    events: list[DocumentEvent] = []
    document.subscribe(events.append)
    with document.transaction():
        pass
    assert not document.apply_changes(document.changes_since(()))
    assert events == []


def test_what_a_subscriber_writes_is_told_after_and_what_it_raises_is_contained(
    caplog: pytest.LogCaptureFixture,
) -> None:
    document = AutomergeDocument()
    seen: list[tuple[str, tuple[bytes, ...]]] = []

    def first(event: DocumentEvent) -> None:
        seen.append(("first", event.after))
        if len(document.core.keys(ROOT)) < 3:
            put(document, f"more{len(seen)}", 1)
        raise KeyError("of the subscriber")

    document.subscribe(first)
    end = document.subscribe(lambda event: seen.append(("second", event.after)))
    with caplog.at_level(logging.ERROR):
        put(document, "a", 1)
    assert [name for name, _ in seen] == ["first", "second"] * 3
    assert seen[-1][1] == document.heads
    assert "of the subscriber" in caplog.text
    end()
    end()
    put(document, "z", 1)
    assert seen[-1][0] == "first"


def test_an_event_tells_what_its_changes_touched_whether_they_came_compressed_waited_or_are_our_own() -> None:
    document = AutomergeDocument()
    first, second, third, last = log_of(4)
    heard: list[DocumentEvent] = []
    document.subscribe(heard.append)
    document.apply_changes([first])
    assert document.apply_changes([third])
    document.apply_changes([second])
    (plain,) = split_chunks(last)
    deflater = zlib.compressobj(wbits=-15)
    packed = deflater.compress(last[plain.start :]) + deflater.flush()
    document.apply_changes([last[:8] + bytes((COMPRESSED,)) + write_uint(len(packed)) + packed])
    put(document, "own", 1)
    told = [pair for event in heard for pair in event.decoded()]
    assert [change for change, _ in told] == document.changes_since(())
    assert all(decoded == decode_change(change) for change, decoded in told)


def test_a_subscriber_is_not_told_of_the_origin_that_it_leaves_out() -> None:
    document, own, other = AutomergeDocument(), object(), object()
    heard: list[DocumentEvent] = []
    all_events: list[DocumentEvent] = []
    end = document.subscribe(heard.append, but=own)
    document.write(lambda tx: tx.put(ROOT, "a", ScalarType.Int, 1), origin=own)  # is told to nobody
    document.subscribe(all_events.append)
    for number, origin in enumerate((own, other, None, own)):
        put(document, "n", number, origin=origin)
    assert [event.origin for event in heard] == [other, None]
    assert [event.origin for event in all_events] == [own, other, None, own]
    end()
    put(document, "n", 9, origin=other)
    assert len(heard) == 2
    assert content(document) == {"a": 1, "n": 9}
