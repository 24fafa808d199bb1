from __future__ import annotations

import pytest

from support.awareness import message
from weft.limits import Limits
from weft.protocols.awareness import Awareness, AwarenessChange

ME, YOU, THEY = 1, 2, 3


@pytest.mark.parametrize(
    "entry",
    [
        (THEY, 1, {"a": "x" * 100}),
        (THEY, 1, "a string"),
        (THEY, 1, [1]),
        (THEY, 1, 5),
        (THEY, 2**32, {}),
        (YOU, 3 + 2**20 + 1, {}),
        (YOU, 2**53 - 1, None),
    ],
)
def test_an_entry_over_a_limit_is_ignored_and_the_others_count(entry: tuple[int, int, object]) -> None:
    one = Awareness(ME, limits=Limits(max_awareness_state=100))
    one.apply(message((YOU, 3, {"a": 1})), now=0.0)
    change = one.apply(message(entry, (7, 1, {"fine": 1})), now=0.0)
    assert change == AwarenessChange(added=(7,))
    assert one.ignored == 1
    assert one.states == {YOU: {"a": 1}, 7: {"fine": 1}}


def test_half_a_surrogate_pair_from_javascript_is_replaced() -> None:
    one = Awareness(ME)
    text = rb'{"a":"\ud83d","b":"\ud83d\ude00","c":"\\ud83d","d":"\udE00x\ud83d\ud83d\ude00","e":"\u00e9"}'
    one.apply(message((YOU, 1, text)), now=0.0)
    assert one.states[YOU] == {"a": "\ufffd", "b": "😀", "c": "\\ud83d", "d": "\ufffdx\ufffd😀", "e": "é"}
    other = Awareness(THEY)
    other.apply(one.encode(), now=0.0)
    assert other.states == one.states
