"""Real updates to test decoders with: what yjs writes, and what the binding writes.

tests/vectors/yjs_updates.json holds what the command ``codec.examples`` of interop/driver.mjs gives; a test
compares. Two of them are content that yrs misreads.
"""

from __future__ import annotations

import base64
import functools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pycrdt import Array, Doc, Map, Text, XmlElement, XmlFragment, XmlText

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["MISREAD", "binding_updates", "honest_updates", "numbered", "yjs_updates"]

MISREAD = frozenset({"hook", "json"})
_VECTORS = Path(__file__).resolve().parents[1] / "vectors" / "yjs_updates.json"


@functools.cache
def yjs_updates() -> dict[str, bytes]:
    """Updates of yjs by name, one for each kind of content and shape."""
    return {name: base64.b64decode(text) for name, text in json.loads(_VECTORS.read_text()).items()}


def numbered(client_id: int, edit: Callable[[Doc[Any]], None]) -> Doc[Any]:
    """A document with a client id of its own, edited in one transaction."""
    doc: Doc[Any] = Doc(client_id=client_id)
    with doc.transaction():
        edit(doc)
    return doc


def _cells(doc: Doc[Any]) -> None:
    root = doc.get("root", type=Map)
    for row in range(30):
        root[f"row{row}"] = Map({f"cell{cell}": row * cell for cell in range(5)})


def _values(doc: Doc[Any]) -> None:
    root = doc.get("root", type=Map)
    values: list[Any] = [
        None,
        True,
        3,
        -1.5,
        2**60,
        "é😀",
        b"\x00\xff",
        [1, [2, {"a": None}]],
        {"b": {"c": []}},
        "y" * 300,
    ]
    for number, value in enumerate(values):
        root[f"v{number}"] = value


def _sequences(doc: Doc[Any]) -> None:
    text = doc.get("text", type=Text)
    text += "hello wörld"
    text.format(0, 5, {"bold": True})
    text.insert_embed(3, {"image": "a.png"})
    del text[0:2]
    numbers = doc.get("numbers", type=Array)
    numbers.extend([1, "two", [3], {"four": 4}])
    del numbers[1]
    fragment = doc.get("xml", type=XmlFragment)
    element = fragment.children.append(XmlElement("p", {"class": "x"}))
    element.children.append(XmlText("inner"))
    doc.get("root", type=Map)["sub"] = Doc()


def _overwritten(doc: Doc[Any]) -> None:
    root = doc.get("root", type=Map)
    for turn in range(200):
        root[f"k{turn % 13}"] = turn
    del root["k3"]


@functools.cache
def binding_updates() -> dict[str, bytes]:
    """Updates of the binding by name. Those with subdocuments hold random ids."""
    found = {
        name: numbered(client_id, edit).get_update()
        for name, client_id, edit in [
            ("cells", 2**32 - 2, _cells),
            ("values", 77, _values),
            ("sequences", 2**53 - 1, _sequences),
            ("overwritten", 300, _overwritten),
        ]
    }
    both: Doc[Any] = Doc(client_id=5)
    for update in found.values():
        both.apply_update(update)
    before = both.get_state()
    both.get("root", type=Map)["later"] = "x"
    return {**found, "together": both.get_update(), "step": both.get_update(before)}


def honest_updates() -> list[bytes]:
    """All of them that must pass."""
    updates = [update for name, update in yjs_updates().items() if name not in MISREAD]
    return updates + list(binding_updates().values())
