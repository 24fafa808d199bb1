from __future__ import annotations

import random
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from pycrdt import Array, Doc, Map, Text

from support.fuzzing import fuzz_seed
from support.yhistories import content, fed, history
from support.ywriter import ANY_NULL, item, run, section, update
from weft._codecs.yjs.guard import check_update
from weft._codecs.yjs.joining import check_joined, join_neighbours
from weft._codecs.yjs.lib0 import Writer
from weft._codecs.yjs.merge import merge_updates
from weft._codecs.yjs.verify import difference
from weft.documents import UpdateLog
from weft.documents.yjs import YDocument, create_doc
from weft.errors import RemoteProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable


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


MANY = 5_000


def overwritten(doc: Doc[Any]) -> None:
    cells = doc.get("m", type=Map)
    for number in range(MANY):
        cells["k"] = number


def grown(doc: Doc[Any]) -> None:
    cells = doc.get("m", type=Map)
    for number in range(MANY):
        cells["k"] = "x" * (number // 10)


def trimmed(doc: Doc[Any]) -> None:
    values = doc.get("l", type=Array)
    for number in range(MANY):
        values.append({"n": [number]})
        if number >= 100:
            del values[0]


def thinned(doc: Doc[Any]) -> None:
    """Every second value deleted: yrs merges nothing, nor is anything joined."""
    values = doc.get("l", type=Array)
    for number in range(MANY):
        values.append(number)
    for at in range(MANY // 2):
        del values[at]


def sent(write: Callable[[Doc[Any]], None]) -> bytes:
    """What a log has of it."""
    doc, updates = create_doc(client_id=7), list[bytes]()
    subscription = doc.observe(lambda event: updates.append(event.update))
    write(doc)
    doc.unobserve(subscription)
    return merge_updates(updates)


def interleaved() -> bytes:
    """Of every two values the right neighbour is another one, which somebody else put behind the last."""
    ours, theirs = [item(8, b"\x01" + ANY_NULL, root="l")], list[bytes]()
    for at in range(1, MANY):
        if at % 2:
            right = Writer().uint(9).uint(at // 2 - 1) if at > 1 else None
            head = Writer().byte(0x88 if right is None else 0xC8).uint(7).uint(at - 1)
            theirs.append(head.raw(b"" if right is None else right.finish()).raw(b"\x01" + ANY_NULL).finish())
        head = Writer().byte(0x88 if at < 2 else 0xC8).uint(7).uint(at - 1)
        if at >= 2:
            head.uint(9).uint(at // 2 - 1)
        ours.append(head.raw(b"\x01" + ANY_NULL).finish())
    return update(section(9, 0, *theirs), section(7, 0, *ours))


@pytest.mark.parametrize(
    "make", [*(partial(sent, write) for write in (overwritten, grown, trimmed, thinned)), interleaved]
)
def test_what_was_written_in_a_row_is_taken_in_as_it_is(make: Callable[[], bytes]) -> None:
    data = make()
    with pytest.raises(RemoteProtocolError, match="bytes to merge"):
        check_update(data)
    joined, expected = check_joined(data).data, fed(data)
    assert fed(joined).get_update() == expected.get_update()
    for doc in (create_doc(), create_doc(skip_gc=True)):
        YDocument.of(doc).apply(data, origin=None)
        assert doc.get("m", type=Map).to_py() == expected.get("m", type=Map).to_py()
        assert doc.get("l", type=Array).to_py() == expected.get("l", type=Array).to_py()
    for first, second in ((data, joined), (joined, data)):
        log = UpdateLog.of([first])
        whole = log.diff()
        assert not log.add(second).is_new  # nor does it say anything else of what is known
        assert log.diff() == whole


def test_a_run_that_the_binding_would_merge_all_the_same_is_refused() -> None:
    """Values of a list stay that, also if all of them or every second one say that they stand at a key."""
    structs = [item(8, b"\x01" + ANY_NULL)]
    flags = Writer().byte(0xA8).uint(7), Writer().byte(0x88).uint(7)
    for step in (1, 2):
        structs[1:] = [
            flags[at % step].finish() + Writer().uint(at - 1).raw(b"\x01" + ANY_NULL).finish()
            for at in range(1, MANY)
        ]
        with pytest.raises(RemoteProtocolError, match="bytes to merge"):
            check_joined(update(section(7, 0, *structs)))


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
