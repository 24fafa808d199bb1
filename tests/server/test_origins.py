from __future__ import annotations

import pytest

from weft.server.origins import check_origin


@pytest.mark.parametrize(
    "origin",
    [
        "https://example.com", "http://localhost:5173", "https://[::1]:8443", "null", "file://",
        "chrome-extension://abcdef", "tauri://localhost",
    ],
)  # fmt: skip
def test_what_browsers_send_is_an_origin(origin: str) -> None:
    assert check_origin(origin) == origin


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("example.com", "as in https://example.com"),
        ("localhost:5173", "as in https://localhost:5173"),
        ("", "as in https://example.com"),
        ("://example.com", "begins with the scheme"),
        ("https://example.com/", "browsers send https://example.com,"),
        ("https://example.com/app?x#y", "browsers send https://example.com,"),
        ("HTTPS://Example.com", "browsers send https://example.com,"),
        ("https://example.com:443", "browsers send https://example.com,"),
        ("https://ada@example.com", "browsers send https://example.com,"),
        ("https://example.com:port", "Port could not be cast"),
        ("https:///app", "names no host"),
    ],
)
def test_what_no_browser_sends_is_refused_with_what_it_would_send(text: str, said: str) -> None:
    with pytest.raises(ValueError, match="is not a web origin") as caught:
        check_origin(text)
    assert said in str(caught.value)
