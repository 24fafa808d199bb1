"""What a reader deletes is told from what Yjs has deleted in its document."""

from __future__ import annotations

import random
from typing import Any

import pytest
from pycrdt import Array, Doc, Map, Text

from support.fuzzing import fuzz_seed
from support.yhistories import history
from weft.documents import UpdateLog
from weft.documents.yjs import create_doc


def edits(rng: random.Random, docs: list[Doc[Any]]) -> None:
    """Concurrent writes to few keys, of values, texts and maps within maps."""
    for _ in range(40):
        doc = rng.choice(docs)
        at = doc.get("m", type=Map)
        while rng.random() < 0.6:
            inner = [key for key in at if isinstance(at[key], Map)]
            if not inner:
                break
            at = at[rng.choice(inner)]
        kind, key = rng.random(), rng.choice("abc")
        if kind < 0.2 and key in at:
            del at[key]
        else:
            at[key] = Map({"k": 1}) if kind < 0.6 else Text("text") if kind < 0.8 else rng.random()
        if rng.random() < 0.3:
            one, other = rng.sample(docs, 2)
            one.apply_update(other.get_update(one.get_state()))


def is_news(log: UpdateLog, doc: Doc[Any], since: bytes = b"\0") -> bool:
    return log.deletes_more(log.check(doc.get_update(since)))


@pytest.mark.parametrize("number", range(60))
def test_what_a_reader_has_is_no_deletion_and_what_it_deletes_is_one(number: int) -> None:
    rng = random.Random(fuzz_seed(f"deletions {number}"))
    docs = [create_doc(client_id=1 + rng.randrange(2**32)) for _ in range(3)]
    updates: list[bytes] = []
    watching = [doc.observe(lambda event: updates.append(event.update)) for doc in docs]
    edits(rng, docs)
    assert watching
    log = UpdateLog.of(updates)
    reader = create_doc()
    reader.apply_update(log.diff())
    for _ in range(2):  # once found out, and once known
        assert not is_news(log, reader)
        assert not is_news(log, reader, reader.get_state())
    root = reader.get("m", type=Map)
    if len(root):
        del root[rng.choice(list(root.keys()))]
        assert is_news(log, reader)
        assert is_news(log, reader, reader.get_state())


@pytest.mark.parametrize("number", range(10))
def test_histories_of_texts_and_lists_too(number: int) -> None:
    rng = random.Random(fuzz_seed(f"deletions of histories {number}"))
    updates, _ = history(rng)
    log, reader = UpdateLog.of(updates), Doc[Any]()
    reader.apply_update(log.diff())
    assert not is_news(log, reader)


def test_a_part_of_a_text_and_of_what_is_in_a_list_are_somebody_s() -> None:
    writer = create_doc()
    text = writer.get("t", type=Text)
    text += "hello world"
    writer.get("a", type=Array).append(Map({"k": Text("inner")}))
    log = UpdateLog.of([writer.get_update()])
    for place in ("text", "list"):
        reader = create_doc()
        reader.apply_update(log.diff())
        assert not is_news(log, reader)
        if place == "text":
            del reader.get("t", type=Text)[3:5]
        else:
            del reader.get("a", type=Array)[0]["k"][1:2]
        assert is_news(log, reader)


def test_what_is_not_there_cannot_have_been_deleted_by_itself() -> None:
    log = UpdateLog()
    assert log.deletes_more(log.check(b"\0\1\5\1\0\1"))
