"""Random histories of peers that edit one document by the binding; without emoji, which it spoils."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pycrdt import Array, Doc, Map, Text

from weft._codecs.yjs.state import decode_state_vector

if TYPE_CHECKING:
    import random

__all__ = ["content", "fed", "history"]


def _edit(rng: random.Random, doc: Doc[Any]) -> None:
    text, array, root = doc.get("t", type=Text), doc.get("a", type=Array), doc.get("m", type=Map)
    match rng.randrange(7):
        case 0:
            text.insert(rng.randint(0, len(text)), rng.choice(["a", "bcd", "hello"]))
        case 1 if len(text):
            at = rng.randrange(len(text))
            del text[at : min(len(text), at + rng.randint(1, 4))]
        case 2:
            array.insert(rng.randint(0, len(array)), rng.choice([1, "x", None, [1, 2], 2.5]))
        case 3 if len(array):
            del array[rng.randrange(len(array))]
        case 4:
            root[rng.choice("abc")] = rng.choice([1, "z", Map({"q": 1}), Array([1])])
        case 5 if len(root):
            del root[rng.choice(sorted(root))]
        case _:
            for key in list(root):
                if isinstance(root[key], Map):
                    root[key][rng.choice("uv")] = rng.choice([3, Map({"w": 2})])


def content(doc: Doc[Any]) -> object:
    return (
        str(doc.get("t", type=Text)),
        doc.get("a", type=Array).to_py(),
        doc.get("m", type=Map).to_py(),
        decode_state_vector(doc.get_state()),
    )


def fed(*updates: bytes) -> Doc[Any]:
    doc: Doc[Any] = Doc()
    for each in updates:
        doc.apply_update(each)
    return doc


def history(rng: random.Random, steps: int = 60) -> tuple[list[bytes], object]:
    """All updates that three peers have sent, also answers to state vectors, and what they end with."""
    docs: list[Doc[Any]] = [Doc(client_id=100 + at) for at in range(3)]
    sent: list[bytes] = []
    for doc in docs:
        content(doc)
    for _ in range(steps):
        doc = rng.choice(docs)
        watching = doc.observe(lambda event: sent.append(event.update))
        with doc.transaction():
            for _ in range(rng.randint(1, 3)):
                _edit(rng, doc)
        doc.unobserve(watching)
        if rng.random() < 0.3:
            other = rng.choice(docs)
            sent.append(doc.get_update(other.get_state()))
            other.apply_update(sent[-1])
    for doc in docs * 2:
        for other in docs:
            doc.apply_update(other.get_update(doc.get_state()))
    return sent, content(docs[0])
