from __future__ import annotations

import asyncio
import logging

import pytest

from weft.errors import ConnectError, ConnectionClosedError, ProviderClosedError, SyncTimeoutError
from weft.providers._core.status import Outcome, ProviderStatus, StatusTracker


def outcome() -> Outcome:
    return asyncio.get_running_loop().create_future()


def test_listeners_hear_each_change_once_until_they_are_removed() -> None:
    tracker = StatusTracker("room", None)
    heard: list[tuple[ProviderStatus, bool]] = []
    remove = tracker.add_listener(lambda status, synced: heard.append((status, synced)))
    tracker.change(status="connecting")
    tracker.change(status="connecting")
    tracker.change(status="connected")
    tracker.change(synced=True)
    tracker.change(synced=True)
    tracker.change(status="disconnected")
    remove()
    remove()
    tracker.change(status="closed")
    assert heard == [
        ("connecting", False),
        ("connected", False),
        ("connected", True),
        ("disconnected", False),
    ]
    assert not tracker.synced


def test_a_listener_that_fails_is_reported_and_the_others_are_called() -> None:
    errors: list[Exception] = []
    heard: list[ProviderStatus] = []
    tracker = StatusTracker("room", errors.append)

    def fail(status: ProviderStatus, synced: bool) -> None:
        raise KeyError(status)

    tracker.add_listener(fail)
    tracker.add_listener(lambda status, _: heard.append(status))
    tracker.change(status="connecting")
    assert heard == ["connecting"]
    assert [repr(error) for error in errors] == ["KeyError('connecting')"]


def test_errors_go_to_the_handler_and_a_handler_that_fails_to_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(error: Exception) -> None:
        raise KeyError("handler")

    tracker = StatusTracker("room", fail)
    tracker.report(ConnectError("ws://host", "refused"))
    assert isinstance(tracker.last_error, ConnectError)
    assert "the error handler failed" in caplog.text


def test_without_a_handler_an_error_is_logged_loudly_once_until_it_changes(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG, "weft.providers")
    tracker = StatusTracker("room", None)
    for reason in ("refused", "refused", "no answer", "refused"):
        tracker.report(ConnectError("ws://host", reason))
    tracker.change(status="connected", synced=True)
    assert tracker.last_error is None
    tracker.report(ConnectError("ws://host", "refused"))
    levels = [record.levelname for record in caplog.records]
    assert levels == ["WARNING", "DEBUG", "WARNING", "WARNING", "WARNING"]
    assert all(record.exc_info is None for record in caplog.records)
    tracker.report(KeyError("a bug"))
    assert caplog.records[-1].exc_info is not None


async def test_who_waits_gets_the_outcome() -> None:
    tracker = StatusTracker("room", None)
    good, bad = outcome(), outcome()
    good.set_result(None)
    bad.set_result(ConnectionClosedError(4400, "no", permanent=True))
    await tracker.wait(good, 0, "not yet")
    with pytest.raises(ConnectionClosedError) as caught:
        await tracker.wait(bad, None, "not yet")
    assert (caught.value.code, caught.value.permanent) == (4400, True)


async def test_a_wait_that_takes_too_long_says_where_things_stand() -> None:
    tracker = StatusTracker("ws://host/room", lambda error: None)
    with pytest.raises(SyncTimeoutError) as caught:
        await tracker.wait(outcome(), 0, "not synchronised")
    assert str(caught.value) == "not synchronised within 0 s (the provider of ws://host/room is disconnected)"
    error = ConnectError("ws://host/room", "connection refused")
    tracker.report(error)
    with pytest.raises(
        SyncTimeoutError, match="last error: cannot connect to ws://host/room: connection refused"
    ) as caught:
        await tracker.wait(outcome(), 0, "not synchronised")
    assert caught.value.__cause__ is error


async def test_release_tells_everybody_who_waits_and_each_gets_an_error_of_its_own() -> None:
    tracker = StatusTracker("room", None)
    waits = [asyncio.create_task(tracker.wait(outcome(), None, "never")) for _ in range(3)]
    await asyncio.sleep(0)
    waits[2].cancel()
    tracker.release(ProviderClosedError("closed"))
    ends = await asyncio.gather(*waits, return_exceptions=True)
    assert [type(end) for end in ends] == [ProviderClosedError, ProviderClosedError, asyncio.CancelledError]
    assert ends[0] is not ends[1]
    tracker.release(ProviderClosedError("nobody waits any more"))


async def test_a_refusal_keeps_its_facts_on_the_way_to_who_waits() -> None:
    tracker = StatusTracker("room", None)
    refused = outcome()
    refused.set_result(ConnectError("ws://host", "no", status=401))
    with pytest.raises(ConnectError) as caught:
        await tracker.wait(refused, None, "never")
    assert caught.value.status == 401
