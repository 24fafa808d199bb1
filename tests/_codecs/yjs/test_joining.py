from __future__ import annotations

import random
from typing import Any

import pytest
from pycrdt import Doc, Text

from support.fuzzing import fuzz_seed
from support.yhistories import content, fed, history
from support.ywriter import ANY_NULL, item, run, section, update
from weft._codecs.yjs.guard import check_update
from weft._codecs.yjs.joining import check_joined, join_neighbours
from weft._codecs.yjs.lib0 import Writer
from weft._codecs.yjs.verify import difference
from weft.documents import UpdateLog
from weft.errors import RemoteProtocolError


def test_an_update_says_the_same_joined() -> None:
    rng = random.Random(fuzz_seed("join"))
    for _ in range(30):
        sent, expected = history(rng)
        whole = UpdateLog.of(sent).diff()
        joined = join_neighbours(whole)
        before, after = UpdateLog.of([whole]), UpdateLog.of([joined])
        assert difference(before.structs(), after.structs(), None) is None
        assert before.deletes() == after.deletes()
        assert content(fed(joined)) == expected


def test_what_the_binding_takes_is_left_as_it_is() -> None:
    data = run(5_000, b"\x01a", ref=4)
    assert check_joined(data).data is data


def test_a_text_typed_letter_by_letter_is_joined_first() -> None:
    data = run(40_000, b"\x01a", ref=4)
    with pytest.raises(RemoteProtocolError, match="bytes to merge"):
        check_update(data)
    spans = check_joined(data)
    assert spans == {5: (0, 40_000)}
    doc: Doc[Any] = Doc()
    doc.apply_update(spans.data)
    assert str(doc.get("r", type=Text)) == "a" * 40_000


def test_holes_stay_where_they_are() -> None:
    letters = [
        item(4, b"\x01a"),
        *[b"\x84\x07" + Writer().uint(at).raw(b"\x01b").finish() for at in range(3)],
    ]
    later = [b"\x84\x07\x09\x01c", b"\x84\x07\x0a\x01d"]
    data = update(
        section(7, 0, *letters, b"\x0a\x06", *later, b"\x0a\x02"), section(3, 4, item(8, b"\x01" + ANY_NULL))
    )
    joined = join_neighbours(data)
    first = item(4, b"\x04abbb")
    assert joined == update(
        section(7, 0, first, b"\x0a\x06", b"\x84\x07\x09\x02cd"), section(3, 4, item(8, b"\x01" + ANY_NULL))
    )


def test_what_is_no_update_is_refused() -> None:
    with pytest.raises(RemoteProtocolError):
        join_neighbours(b"\x01\x01")
