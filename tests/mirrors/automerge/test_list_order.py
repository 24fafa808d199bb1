"""What was done in a list, told without reading it."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest

from weft._codecs.automerge.text_ops import TextOps
from weft.mirrors.automerge.list_order import list_delta

if TYPE_CHECKING:
    from weft._codecs.automerge.change import OpId


def told(
    old: list[OpId], new: list[OpId], ops: TextOps
) -> tuple[list[dict[str, Any]] | None, int, list[OpId]]:
    looks = 0

    def id_at(index: int) -> OpId:
        nonlocal looks
        looks += 1
        return new[index]

    order = old.copy()
    return list_delta(order, ops, len(new), id_at, new.__getitem__), looks, order


@pytest.mark.parametrize("seed", range(40))
def test_any_inserts_and_deletes_are_told(seed: int) -> None:
    rng = random.Random(seed)
    print(f"seed {seed}")
    old: list[OpId] = [(b"a", number) for number in range(rng.randrange(60))]
    new, ops = old.copy(), TextOps()
    for number in range(rng.randrange(1, 8)):
        if new and rng.random() < 0.5:
            ops.deleted.add(new.pop(rng.randrange(len(new))))
        else:
            ops.inserted.append((b"b", number))
            new.insert(rng.randrange(len(new) + 1), ops.inserted[-1])
    delta, _, order = told(old, new, ops)
    assert delta is not None
    assert order == new
    index = 0
    for step in delta:
        if "retain" in step:
            index += step["retain"]
        elif "delete" in step:
            del old[index : index + step["delete"]]
        else:
            old[index:index] = step["insert"]
            index += len(step["insert"])
    assert old == new


def test_one_row_of_many_takes_few_looks() -> None:
    old: list[OpId] = [(b"a", number) for number in range(20_000)]
    new = [*old[:7_000], (b"b", 1), *old[7_000:]]
    delta, looks, _ = told(old, new, TextOps(inserted=[(b"b", 1)]))
    assert delta == [{"retain": 7_000}, {"insert": [(b"b", 1)]}]
    assert looks < 25
    delta, looks, _ = told(old, old[:5] + old[6:], TextOps(deleted={old[5]}))
    assert delta == [{"retain": 5}, {"delete": 1}]
    assert looks < 25


def test_what_cannot_be_told_is_left_to_reading() -> None:
    old: list[OpId] = [(b"a", number) for number in range(4)]
    assert told(old, old, TextOps(is_plain=False))[0] is None
    assert told(old, old[:2], TextOps(deleted={old[3]}))[0] is None
    assert told(old, [*old, (b"c", 9)], TextOps(inserted=[(b"b", 1)]))[0] is None
