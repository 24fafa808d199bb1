from __future__ import annotations

import pytest

from weft._support.urls import is_loopback, shown_url


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "wss://user:secret@example.org:8443/base/room?token=secret#secret",
            "wss://example.org:8443/base/room",
        ),
        ("http://p@ss:w@rd@host", "http://host"),
        ("http://user:secret@[not a host/path?secret", "http://[not a host/path?secret"),
        ("libsql://[::1]:80?authToken=secret", "libsql://[::1]:80"),
        ("<Error http://a:b@c/d?e> and URL('s3://f:g@h?i')", "<Error http://c/d> and URL('s3://h')"),
        ("/a/path?with#marks", "/a/path?with#marks"),
        ("mail@example.org", "mail@example.org"),
    ],
)
def test_users_queries_and_fragments_are_not_shown(text: str, shown: str) -> None:
    assert shown_url(text) == shown


@pytest.mark.parametrize(
    ("host", "is_this_machine"),
    [("localhost", True), ("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("a.localhost", True),
     ("0.0.0.0", False), ("::", False), ("example.com", False), ("", False), ("localhost.example", False)],
)  # fmt: skip
def test_only_loopback_addresses_are_this_machine(host: str, is_this_machine: bool) -> None:
    assert is_loopback(host) is is_this_machine
