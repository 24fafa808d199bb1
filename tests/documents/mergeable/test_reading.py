"""Reading a mergeable document: TinyBase's content, and finding out what another one lacks."""

from __future__ import annotations

import json
import random
from functools import partial
from typing import Any

import pytest

from support.vectors import vectors
from weft.documents.mergeable import MergeableDocument, from_json, to_json
from weft.values import UNDEFINED, EncodedCell

SEMANTICS: dict[str, Any] = vectors("tinybase_mergeable_semantics")


def contents() -> list[str]:
    """Every content in the vectors whose cells stand as they are stored."""
    found = [
        text.replace("<<undefined>>", "￼")
        for name, texts in SEMANTICS.items()
        for text in ([texts] if isinstance(texts, str) else texts if isinstance(texts, list) else [])
        if text.count(',"",') > 1 and name != "getContentDecoded"
    ]
    found += [
        json.dumps(step["content"], ensure_ascii=False, separators=(",", ":"))
        for step in vectors("tinybase_mergeable")["mergeableStore"]["steps"]
        if "content" in step
    ]
    return found


def test_there_are_vectors() -> None:
    assert len(contents()) > 25


@pytest.mark.parametrize("text", contents())
def test_hashes_and_text_are_those_of_tinybase(text: str) -> None:
    document = MergeableDocument("x", get_now=lambda: 1_900_000_000_000)
    document.apply(from_json(text))
    content = from_json(text)
    assert document.get_content_hashes() == [content[0][2], content[1][2]]
    assert document.content_text() == to_json(document.get_content())


def test_the_text_follows_what_is_written() -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    draw = random.Random(seed)
    document = MergeableDocument("x")
    for _ in range(300):
        stored = draw.choice((1, "x\n\u2028", None, True, 2.5, UNDEFINED, EncodedCell("\ufffd[1]")))
        if draw.random() < 0.8:
            document.set_cell(draw.choice('pq"'), draw.choice("10Ã"), draw.choice("c10"), stored)
        else:
            document.set_value(draw.choice("v10"), stored)
        if draw.random() < 0.1:
            document.apply([[{"p": [{"1": [{}, document.clock.next()]}]}], [{}], 1])
        if draw.random() < 0.5:
            assert document.content_text() == to_json(document.get_content())


def test_changes_with_hashes_are_those_that_persisters_of_tinybase_get() -> None:
    """As ``setPersisted`` of a custom persister got them from TinyBase 10.0.1."""
    document = MergeableDocument("s1")
    content = (
        '[[{"pets":[{"fido":[{"species":["dog","P7hvJYy----7JQY8",3964893263],"x":["\ufffd[1]","P7hvJYy---07JQY8",'
        '2372838118],"n":[0,"P7hvJZ0----7JQY8",4115780481]},"",3063270813]},"",4053537802]},"",2760756586],[{},"",0]]'
    )
    document.apply(from_json(content))
    assert to_json(
        document.get_stamps({"pets": {"fido": ["n", "gone"], "r": ["c"]}, "t": {}}, ["v"], with_hashes=True)
    ) == (
        '[[{"pets":[{"fido":[{"n":[0,"P7hvJZ0----7JQY8",4115780481]},"",3063270813]},"",4053537802]},"",2760756586],'
        '[{},"",0],1]'
    )
    assert document.get_hashed_stamps({"pets": {"fido": None}}, []) == [*document.get_content(), 1]
    assert document.content_text() == content


def pull(ours: MergeableDocument, theirs: MergeableDocument) -> None:
    """Fetch what the other has, as the protocol does: our hashes go there, their stamps come back."""
    tables, differing = theirs.get_table_diff(ours.get_table_hashes())
    parts = [tables]
    if differing:
        rows, differing_rows = theirs.get_row_diff(ours.get_row_hashes(differing))
        parts.append(rows)
        if differing_rows:
            parts.append(theirs.get_cell_diff(ours.get_cell_hashes(differing_rows)))
    for part in parts:
        ours.apply([part, [{}], 1])
    ours.apply([[{}], theirs.get_value_diff(ours.get_value_hashes()), 1])


def test_two_documents_become_equal_by_asking_for_what_differs() -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    draw = random.Random(seed)
    for _ in range(60):
        now = [1_000_000]
        one, other = (MergeableDocument(name, get_now=partial(now.__getitem__, 0)) for name in "ab")
        for _ in range(draw.randrange(30)):
            document = draw.choice((one, other))
            now[0] += draw.randrange(3)
            stored = draw.choice((1, "x", None, True, 2.5, UNDEFINED))
            if draw.random() < 0.8:
                document.set_cell(draw.choice("pq"), draw.choice("rs"), draw.choice("cde"), stored)
            else:
                document.set_value(draw.choice("vw"), stored)
            if draw.random() < 0.2:
                document.get_content_hashes()
            if draw.random() < 0.1:
                pull(one, other)
        pull(one, other)
        pull(other, one)
        assert one.get_content() == other.get_content()
        afresh = MergeableDocument(get_now=lambda: 2_000_000)
        afresh.apply(one.get_content())
        assert afresh.get_content_hashes() == one.get_content_hashes()
        assert one.get_living() == other.get_living()


def test_what_is_not_there_has_nothing_to_tell() -> None:
    document = MergeableDocument()
    assert document.get_cell("t", "r", "c") is document.get_value("v") is UNDEFINED
    assert document.get_content() == [[{}, "", 0], [{}, "", 0]]
    assert document.get_row_diff({"t": {}}) == [[{}], {}]
    assert document.get_cell_hashes({"t": {"r": 1}}) == {}
    assert document.get_cell_diff({"t": {"r": {}}}) == [{}]
    document.set_cell("t", "r", "c", 1)
    assert document.get_cell_hashes({"t": {"s": 1}}) == {}
    assert document.get_cell_diff({"t": {"s": {}}}) == [{}]
    assert (document.get_cell("t", "r", "c"), document.get_cell("t", "s", "c")) == (1, UNDEFINED)
