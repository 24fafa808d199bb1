from __future__ import annotations

import pytest

from weft.errors import ConnectError
from weft.providers.transport import closed_error, is_final_refusal, refused_error


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (401, "asks for credentials"),
        (403, "does not allow it"),
        (404, "nothing at this address"),
        (503, "not available"),
        (599, "refused the websocket"),
    ],
)
def test_a_refused_handshake_says_what_the_status_means(status: int, said: str) -> None:
    error = refused_error("ws://host/room?token=secret", status)
    assert error.status == status
    assert said in str(error)
    assert f"HTTP {status}" in str(error)
    assert "ws://host/room" in str(error)
    assert "secret" not in str(error)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 426])
def test_refusals_of_the_request_are_final(status: int) -> None:
    assert is_final_refusal(refused_error("ws://host", status))


@pytest.mark.parametrize("status", [301, 408, 425, 429, 500, 502, 503, 504])
def test_refusals_of_the_moment_are_not_final(status: int) -> None:
    assert not is_final_refusal(refused_error("ws://host", status))


def test_an_unreachable_server_is_not_final() -> None:
    assert not is_final_refusal(ConnectError("ws://host", "connection refused"))


@pytest.mark.parametrize(
    ("code", "permanent"), [(4399, False), (4400, True), (4499, True), (4500, False), (1000, False)]
)
def test_close_codes_4400_to_4499_are_permanent(code: int, permanent: bool) -> None:
    error = closed_error(code, "why")
    assert (error.code, error.reason, error.permanent) == (code, "why", permanent)


def test_no_close_frame_is_code_1006() -> None:
    assert closed_error(None).code == 1006
