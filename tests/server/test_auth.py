from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import Any

import pytest

from weft.limits import Limits
from weft.server.auth import Allow, Deny, Request, allow_all, allow_tokens, decide

REQUEST = Request(room="r", query={"token": "secret"}, headers={}, origin=None, remote="[::1]:5")


async def ask(auth: Any, *, seconds: float = 20.0) -> Allow | Deny:
    return await decide(auth, REQUEST, seconds=seconds)


async def test_allow_all_allows_everything() -> None:
    assert await ask(allow_all) == Allow(user="", read_only=False, limits=None)


async def test_a_sync_and_an_async_hook_are_both_asked_with_the_request() -> None:
    seen: list[Request] = []

    def sync(request: Request) -> Allow:
        seen.append(request)
        return Allow(user="sync", read_only=True, limits=Limits(max_depth=3))

    async def asynchronous(request: Request) -> Deny:
        await asyncio.sleep(0)
        seen.append(request)
        return Deny("no", 4401)

    assert await ask(sync) == Allow(user="sync", read_only=True, limits=Limits(max_depth=3))
    assert await ask(asynchronous) == Deny("no", 4401)
    assert seen == [REQUEST, REQUEST]


def _raise(request: Request) -> Allow:
    raise LookupError("database of users is gone")


async def _raise_late(request: Request) -> Allow:
    await asyncio.sleep(0)
    raise LookupError("database of users is gone")


class _Panic(BaseException):
    """As a binding raises, and test frameworks."""


async def _panic(request: Request) -> Allow:
    raise _Panic


async def _waits_for_what_is_cancelled(request: Request) -> Allow:
    task = asyncio.create_task(asyncio.Event().wait())
    asyncio.get_running_loop().call_soon(task.cancel)
    await task
    return Allow()


async def _timed_out_itself(request: Request) -> Allow:
    raise TimeoutError("the directory does not answer")


async def _never(request: Request) -> Allow:
    await asyncio.Event().wait()
    return Allow()


@pytest.mark.parametrize(
    "auth",
    [
        _raise,
        _raise_late,
        _panic,
        _waits_for_what_is_cancelled,
        _timed_out_itself,
        lambda _: True,
        lambda _: None,
        lambda _: "Allow",
        lambda _: Allow,
    ],
)
async def test_what_is_not_a_clear_answer_denies_and_may_be_tried_again(
    auth: Any, caplog: pytest.LogCaptureFixture
) -> None:
    decision = await ask(auth)
    assert isinstance(decision, Deny)
    assert decision.code == 1013
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert "secret" not in caplog.text


async def test_a_hook_that_gives_no_answer_denies(caplog: pytest.LogCaptureFixture) -> None:
    decision = await ask(_never, seconds=0.01)
    assert isinstance(decision, Deny)
    assert decision.code == 1013
    assert "no answer within 0.01 s" in caplog.text


async def test_giving_up_on_a_connection_is_no_denial() -> None:
    task = asyncio.create_task(decide(_never, REQUEST, seconds=20.0))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("code", [0, 200, 403, 1000, 1008, 1011, 3999, 5000])
def test_a_denial_has_a_code_that_says_so(code: int) -> None:
    with pytest.raises(ValueError, match="close code"):
        Deny("no", code)


@pytest.mark.parametrize("code", [1013, 4000, 4401, 4403, 4999])
def test_a_denial_may_have_any_code_of_applications(code: int) -> None:
    assert Deny("no", code).code == code


def test_a_denial_is_final_unless_said_otherwise() -> None:
    assert 4400 <= Deny().code <= 4499


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
async def test_an_exit_of_the_program_is_none_of_ours(error: type[BaseException]) -> None:
    def leave(_: Request) -> Allow:
        raise error

    with pytest.raises(error):
        await ask(leave)


async def _show(auth: Any, query: dict[str, str], headers: dict[str, str]) -> Allow | Deny:
    return await decide(auth, replace(REQUEST, query=query, headers=headers), seconds=20.0)


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        ({"token": "7f3a"}, {}),
        ({}, {"authorization": "Bearer 7f3a"}),
        ({"token": "wrong"}, {"authorization": "bearer  ünï"}),
    ],
)
async def test_who_shows_a_token_is_let_in(query: dict[str, str], headers: dict[str, str]) -> None:
    assert await _show(allow_tokens(["7f3a", "ünï"]), query, headers) == Allow()


@pytest.mark.parametrize("query", [{}, {"token": ""}, {"token": "7f3"}, {"token": "\ud800"}])
async def test_who_shows_none_is_denied(query: dict[str, str]) -> None:
    decision = await _show(allow_tokens(["7f3a"]), query, {})
    assert isinstance(decision, Deny)
    assert decision.code == 4401
    assert "7f3" not in decision.reason


@pytest.mark.parametrize("tokens", [[], [""], ["a", ""], "abc", [5]])
def test_what_is_no_list_of_tokens_is_refused(tokens: Any) -> None:
    with pytest.raises((ValueError, TypeError), match="token"):
        allow_tokens(tokens)
