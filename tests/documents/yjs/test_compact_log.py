from __future__ import annotations

import random
from typing import Any

import pytest
from pycrdt import Doc, Map, Text

from support.fuzzing import cases, fuzz_seed
from support.yhistories import content, fed, history
from support.yupdates import honest_updates, yjs_updates
from support.ywriter import ANY_NULL, item, key_item, section, update
from weft.documents import UpdateLog, compact_updates, merge_updates
from weft.errors import RemoteProtocolError

VALUE = b"\x01" + ANY_NULL


def written(edit: Any, root: str, kind: Any, number: int) -> list[bytes]:
    doc: Doc[Any] = Doc(client_id=3)
    shared = doc.get(root, type=kind)
    sent: list[bytes] = []
    watching = doc.observe(lambda event: sent.append(event.update))
    for at in range(number):
        edit(shared, at)
    doc.unobserve(watching)
    return sent


@pytest.mark.parametrize("gc", [True, False])
@pytest.mark.parametrize("number", range(10))
def test_a_snapshot_comes_to_what_its_updates_come_to(number: int, gc: bool) -> None:
    rng = random.Random(fuzz_seed(f"compaction {number}"))
    sent, wanted = history(rng, 80)
    result = compact_updates(rng.sample(sent, len(sent)), gc=gc)
    assert result is not None
    assert result.kept == frozenset()
    assert content(fed(result.snapshot)) == wanted
    log = UpdateLog.of([result.snapshot])
    assert log.state() == UpdateLog.of(sent).state()
    again = compact_updates([result.snapshot, result.snapshot], gc=gc)
    assert again == result
    # A peer that knows a part of the updates as they were, and one that has got a part of the snapshot.
    for cut in (len(sent) // 3, len(sent) // 2):
        part = UpdateLog.of(sent[:cut])
        assert content(fed(part.diff(), log.diff(part.state_vector()))) == wanted
        assert content(fed(merge_updates([result.snapshot, *sent[cut:]]))) == wanted
        assert not any(log.add(each).is_new for each in sent[:cut])


def test_letters_and_cells_that_were_written_one_by_one_become_small() -> None:
    letters = written(lambda text, at: text.insert(at, "a"), "t", Text, 1_000)
    result = compact_updates(letters)
    assert result is not None
    assert result.snapshot == update(section(3, 0, item(4, b"\xe8\x07" + b"a" * 1_000, root="t")))
    cells = written(lambda root, at: root.update({f"k{at % 10}": "value"}), "m", Map, 1_000)
    result = compact_updates(cells)
    assert result is not None
    assert len(result.snapshot) < len(UpdateLog.of(cells).diff()) * 0.6
    assert fed(result.snapshot).get("m", type=Map).to_py() == {f"k{at}": "value" for at in range(10)}


def test_what_waits_is_kept_beside_it() -> None:
    first, second = update(section(1, 0, key_item("a"))), update(section(1, 1, key_item("b")))
    late, holed = (
        update(section(2, 3, key_item("c"))),
        update(section(1, 2, item(8, VALUE), b"\x0a\x01", item(8, VALUE))),
    )
    result = compact_updates([late, first, second, holed, late])
    assert result is not None
    assert result.kept == {0, 3, 4}
    assert result.snapshot == update(section(1, 0, key_item("a"), key_item("b"), item(8, VALUE)))
    rows = UpdateLog.of([result.snapshot, late, holed])
    assert rows.missing == UpdateLog.of([late, first, second, holed]).missing


def test_what_had_better_stay_as_it_is_stays() -> None:
    assert compact_updates([]) is None
    assert compact_updates([update(section(1, 0, key_item("a")))]) is None
    with pytest.raises(RemoteProtocolError):
        compact_updates([b"\x01", b"\x01"])


def test_what_refers_across_types_keeps_a_deleted_ones_children(caplog: pytest.LogCaptureFixture) -> None:
    """In Yjs an item beside a collected one is collected: nobody honest names neighbours in two types."""
    there = update(
        section(1, 0, item(7, b"\x01"), b"\x08\x00\x01\x00" + VALUE, item(8, VALUE)),
        deletes=b"\x01\x01\x01\x00\x01",
    )
    astray = update(section(2, 0, b"\xc8\x01\x02\x01\x01" + VALUE))
    result = compact_updates([there, astray])
    assert result is not None
    assert result.snapshot == merge_updates([there, astray])
    assert "gc=True" in caplog.text


@pytest.mark.parametrize("gc", [True, False])
def test_no_updates_raise_anything_else(gc: bool) -> None:
    corpus = [*honest_updates(), *yjs_updates().values(), *history(random.Random(1), 30)[0]]
    rows: list[bytes] = []
    log = UpdateLog()
    for data in cases(fuzz_seed("compaction"), corpus, 600):
        try:
            if log.add(data).is_new:
                rows.append(data)
        except RemoteProtocolError:
            continue
    result = compact_updates(rows, gc=gc)
    assert result is not None
    left = [result.snapshot, *(rows[at] for at in sorted(result.kept))]
    assert UpdateLog.of(left).state() == UpdateLog.of(rows).state()
