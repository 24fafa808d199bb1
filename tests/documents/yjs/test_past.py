"""Leading a document back to what it was, with random histories."""

from __future__ import annotations

import random
from typing import Any

import pytest
from pycrdt import Array, Doc, Map, Text

from support.ywriter import update
from weft.documents import YDocument, merge_updates
from weft.documents.yjs.past import open_past, way_back
from weft.errors import RemoteProtocolError


def edit(rng: random.Random, doc: Doc[Any]) -> None:
    text, array, root = doc.get("t", type=Text), doc.get("a", type=Array), doc.get("m", type=Map)
    match rng.randrange(6):
        case 0:
            text.insert(rng.randrange(len(str(text)) + 1), rng.choice(["a", "bc", " def"]))
        case 1 if str(text):
            at = rng.randrange(len(str(text)))
            del text[at : min(len(str(text)), at + rng.randrange(1, 4))]
        case 2:
            array.insert(rng.randrange(len(array) + 1), rng.choice([1, "x", None]))
        case 3 if len(array):
            del array[rng.randrange(len(array))]
        case 4:
            root[rng.choice("xyz")] = rng.choice([1, "v", Map({"k": rng.randrange(9)})])
        case 5 if root.to_py():
            del root[rng.choice(sorted(root.to_py() or {}))]
        case _:
            pass


@pytest.mark.parametrize("seed", range(40))
def test_the_way_back_leads_back(seed: int) -> None:
    rng = random.Random(seed)
    docs: list[Doc[Any]] = [Doc(client_id=10 + at) for at in range(2)]
    past = b""
    for number in range(60):
        edit(rng, rng.choice(docs))
        if rng.random() < 0.3 or number == 30:
            for one, two in (docs, docs[::-1]):
                one.apply_update(two.get_update(one.get_state()))
        if number == 30:
            past = docs[0].get_update()
    docs[0].apply_update(docs[1].get_update(docs[0].get_state()))
    wanted = open_past(past).shown()
    docs[0].apply_update(way_back(past, docs[0].get_update()))
    found = open_past(docs[0].get_update()).shown()
    assert {name: shown for name, shown in found.items() if shown} == {
        name: shown for name, shown in wanted.items() if shown
    }, f"seed {seed}"


def test_what_the_binding_must_not_be_given_is_refused() -> None:
    with pytest.raises(RemoteProtocolError):
        open_past(b"\x01")


def test_an_emoji_that_was_split_since_is_whole_again() -> None:
    author: Doc[Any] = Doc(client_id=5)
    author.get("t", type=Text).insert(0, "a😀b")
    past = author.get_update()
    now = merge_updates([past, update(deletes=bytes([1, 5, 1, 2, 1]))])
    back = way_back(past, now)
    doc: Doc[Any] = Doc(client_id=6)
    document = YDocument.of(doc)
    document.apply(now, origin="log")
    assert str(doc.get("t", type=Text)) == "a\ufffdb"
    document.apply(back, origin="log")
    assert str(doc.get("t", type=Text)) == "a😀b"
