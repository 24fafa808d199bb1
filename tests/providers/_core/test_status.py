from __future__ import annotations

import asyncio
import logging

import pytest

from weft.errors import ConnectError, ConnectionClosedError, ProviderClosedError, SyncTimeoutError
from weft.providers._core.status import Outcome, Standing, Status


def outcome() -> Outcome:
    return asyncio.get_running_loop().create_future()


def test_listeners_hear_each_change_once_until_they_are_removed() -> None:
    standing = Standing("room", None)
    heard: list[tuple[Status, bool]] = []
    remove = standing.add_listener(lambda status, synced: heard.append((status, synced)))
    standing.change(status="connecting")
    standing.change(status="connecting")
    standing.change(status="connected")
    standing.change(synced=True)
    standing.change(synced=True)
    standing.change(status="disconnected")
    remove()
    remove()
    standing.change(status="closed")
    assert heard == [
        ("connecting", False),
        ("connected", False),
        ("connected", True),
        ("disconnected", False),
    ]
    assert not standing.synced


def test_a_listener_that_fails_is_reported_and_the_others_are_called() -> None:
    errors: list[Exception] = []
    heard: list[Status] = []
    standing = Standing("room", errors.append)

    def fail(status: Status, synced: bool) -> None:
        raise KeyError(status)

    standing.add_listener(fail)
    standing.add_listener(lambda status, _: heard.append(status))
    standing.change(status="connecting")
    assert heard == ["connecting"]
    assert [repr(error) for error in errors] == ["KeyError('connecting')"]


def test_errors_go_to_the_handler_and_a_handler_that_fails_to_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(error: Exception) -> None:
        raise KeyError("handler")

    standing = Standing("room", fail)
    standing.report(ConnectError("ws://host", "refused"))
    assert isinstance(standing.last_error, ConnectError)
    assert "the error handler failed" in caplog.text


def test_without_a_handler_an_error_is_logged_loudly_once_until_it_changes(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG, "weft.providers")
    standing = Standing("room", None)
    for reason in ("refused", "refused", "no answer", "refused"):
        standing.report(ConnectError("ws://host", reason))
    standing.change(status="connected", synced=True)
    assert standing.last_error is None
    standing.report(ConnectError("ws://host", "refused"))
    levels = [record.levelname for record in caplog.records]
    assert levels == ["WARNING", "DEBUG", "WARNING", "WARNING", "WARNING"]
    assert all(record.exc_info is None for record in caplog.records)
    standing.report(KeyError("a bug"))
    assert caplog.records[-1].exc_info is not None


async def test_who_waits_gets_the_outcome() -> None:
    standing = Standing("room", None)
    good, bad = outcome(), outcome()
    good.set_result(None)
    bad.set_result(ConnectionClosedError(4400, "no", permanent=True))
    await standing.wait(good, 0, "not yet")
    with pytest.raises(ConnectionClosedError) as caught:
        await standing.wait(bad, None, "not yet")
    assert (caught.value.code, caught.value.permanent) == (4400, True)


async def test_a_wait_that_takes_too_long_says_where_things_stand() -> None:
    standing = Standing("ws://host/room", lambda error: None)
    with pytest.raises(SyncTimeoutError) as caught:
        await standing.wait(outcome(), 0, "not synchronised")
    assert str(caught.value) == "not synchronised within 0 s (the provider of ws://host/room is disconnected)"
    error = ConnectError("ws://host/room", "connection refused")
    standing.report(error)
    with pytest.raises(
        SyncTimeoutError, match="last error: cannot connect to ws://host/room: connection refused"
    ) as caught:
        await standing.wait(outcome(), 0, "not synchronised")
    assert caught.value.__cause__ is error


async def test_release_tells_everybody_who_waits_and_each_gets_an_error_of_its_own() -> None:
    standing = Standing("room", None)
    waits = [asyncio.create_task(standing.wait(outcome(), None, "never")) for _ in range(3)]
    await asyncio.sleep(0)
    waits[2].cancel()
    standing.release(ProviderClosedError("closed"))
    ends = await asyncio.gather(*waits, return_exceptions=True)
    assert [type(end) for end in ends] == [ProviderClosedError, ProviderClosedError, asyncio.CancelledError]
    assert ends[0] is not ends[1]
    standing.release(ProviderClosedError("nobody waits any more"))


async def test_a_refusal_keeps_its_facts_on_the_way_to_who_waits() -> None:
    standing = Standing("room", None)
    refused = outcome()
    refused.set_result(ConnectError("ws://host", "no", status=401))
    with pytest.raises(ConnectError) as caught:
        await standing.wait(refused, None, "never")
    assert caught.value.status == 401
