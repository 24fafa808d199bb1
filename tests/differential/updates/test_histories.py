"""Random histories of JavaScript peers, kept by our log and judged by Yjs.

The normal run takes 2,000, the same ones every time. Any others::

    PYTHONPATH=tests python -m differential.updates --histories 100000 --seed 2000 --jobs 2
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from differential.updates.command import main
from differential.updates.oracle import findings, report, shrunk
from differential.updates.subject import weft_subject
from weft._codecs.yjs.update import parse_update
from weft.documents import UpdateLog

if TYPE_CHECKING:
    from collections.abc import Iterable

    from differential.updates.oracle import History
    from support.node import SyncJsPeer

pytestmark = pytest.mark.interop

PART = 125


def _judge(js: SyncJsPeer, histories: Iterable[History]) -> None:
    subject = weft_subject()
    for finding in findings(js, subject, histories):
        pytest.fail(report(shrunk(js, subject, finding)))


@pytest.mark.parametrize("start", range(0, 2000, PART))
def test_what_the_log_answers_means_to_yjs_what_its_peers_have(start: int, js_session: SyncJsPeer) -> None:
    _judge(js_session, ({"seed": seed} for seed in range(start, start + PART)))


# One with five letters and two pairs: before, between, inside and after them.
@pytest.mark.parametrize("base", ["a🔴b😀", "🎉🎉"])
def test_a_text_with_emoji_may_be_cut_anywhere(base: str, js_session: SyncJsPeer) -> None:
    cuts = js_session("update.cuts", base=base)
    units = len(base.encode("utf-16-le")) // 2
    assert len(cuts) == 9 * (units - 1) * (units + 1)
    _judge(js_session, ({"seed": at, "updates": updates} for at, updates in enumerate(cuts.values())))


def test_the_histories_go_everywhere(js_session: SyncJsPeer) -> None:
    made = js_session("update.make", histories=[{"seed": seed} for seed in range(100)])
    updates = [update for questions in made for update in questions["updates"]]
    items = [item for update in updates for item in parse_update(update).items]
    assert {item.ref for item in items} == set(range(11))
    assert {item.type_ref for item in items if item.ref == 7} == set(range(7))
    assert sum(b"\xef\xbf\xbd" in update for update in updates) > 100  # cut pairs
    logs = [
        UpdateLog.of([questions["updates"][place] for place in order["updates"][: order["at"]]])
        for questions in made
        for order in questions["orders"]
    ]
    assert sum(bool(log.missing) for log in logs) > 50


def test_yjs_itself_answers_all_that_is_asked(js_session: SyncJsPeer) -> None:
    for seed in range(100):
        assert js_session("update.yjs", histories=[{"seed": seed}]) == [[]]


@pytest.mark.usefixtures("_node")
def test_the_command_runs_histories_and_attacks(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--histories", "30", "--seed", "7", "--attacks", "1", "--jobs", "2"]) == 0
    assert capsys.readouterr().out.startswith("30 histories and 1000 hostile updates, 0 wrong, ")
