"""Structs under another author, against Yjs's own reading of them."""

from __future__ import annotations

from typing import Any

from pycrdt import Array, Doc, Map, Text

from weft._codecs.yjs.rename import rename_author
from weft.documents import UpdateLog


def test_what_was_written_from_a_clock_on_has_another_author_and_means_the_same() -> None:
    doc: Doc[Any] = Doc(client_id=7)
    other: Doc[Any] = Doc(client_id=9)
    root, text = doc.get("m", type=Map), doc.get("t", type=Text)
    root["a"] = 1.0
    root["nested"] = Map({"x": "y"})
    text += "hello w\U0001f600rld"
    other.get("m", type=Map)["b"] = True
    doc.apply_update(other.get_update())
    clock = UpdateLog.of([doc.get_update()]).state()[7]
    with doc.transaction():
        root["a"] = 2.0
        root["nested"]["x"] = "z"
        root["nested"]["list"] = Array([1.0, 2.0, {"k": [None]}])
        text.insert(5, "XY")
        del text[0:2]
        del root["b"]
        text += "!"
    whole = doc.get_update()
    moved = rename_author(whole, 7, clock, 8)
    state = UpdateLog.of([moved]).state()
    assert state == {7: clock, 8: UpdateLog.of([whole]).state()[7] - clock, 9: 1}
    read: Doc[Any] = Doc()
    read.apply_update(moved)
    assert read.get("m", type=Map).to_py() == root.to_py()
    assert str(read.get("t", type=Text)) == str(text)
    # At any place, also within a struct.
    for at in range(clock + 1):
        read = Doc()
        read.apply_update(rename_author(whole, 7, at, 8))
        assert read.get("m", type=Map).to_py() == root.to_py()
    assert rename_author(moved, 5, 0, 6) == moved
