"""What is refused is counted each time, and said once in a while."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from weft.server._core.refused import RefusedCounts

if TYPE_CHECKING:
    import pytest


def test_each_bound_is_counted_and_said_for_itself(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.WARNING, "weft.server")
    now = 100.0
    monkeypatch.setattr("weft.server._core.refused.time.monotonic", lambda: now)
    refused = RefusedCounts()
    for _ in range(3):
        refused.note("ping_rate", "192.0.2.7:1", "sends faster than it may")
    refused.note("join_rate", "192.0.2.7:1", "joins too fast")
    assert refused.counts == {"ping_rate": 3, "join_rate": 1}
    assert [record.getMessage() for record in caplog.records] == [
        "192.0.2.7:1: sends faster than it may (ping_rate)",
        "192.0.2.7:1: joins too fast (join_rate)",
    ]
    now += 11.0
    refused.note("ping_rate", "192.0.2.7:1", "sends faster than it may")
    assert len(caplog.records) == 3
