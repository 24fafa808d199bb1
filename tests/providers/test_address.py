from __future__ import annotations

import asyncio

import pytest

from weft.providers.address import check_server, check_url, resolve, room_url


@pytest.mark.parametrize(
    ("room", "path"),
    [
        ("room", "/room"),
        ("a/b", "/a/b"),
        ("a b", "/a%20b"),
        ("ä/日本", "/%C3%A4/%E6%97%A5%E6%9C%AC"),
        ("a%20b", "/a%20b"),
        ('a[b]|^`{}"<>c', "/a[b]|^%60%7B%7D%22%3C%3Ec"),
        ("x~y.z", "/x~y.z"),
        ("q;=,+&$@:!*()'", "/q;=,+&$@:!*()'"),
        ("what?#x", "/what%3F%23x"),
    ],
)
def test_a_room_is_spelled_as_a_browser_spells_it(room: str, path: str) -> None:
    # All but the last are what `new URL("ws://h/" + room).pathname` is in Node, where the last ends early.
    assert check_url("ws://host:1234", room) == f"ws://host:1234{path}"


def test_slashes_at_the_end_of_the_url_are_dropped() -> None:
    assert check_url("wss://host/base//", "room") == "wss://host/base/room"


@pytest.mark.parametrize(
    "url",
    ["http://host", "host:1234", "ws://", "ws:///path", "", "ws://host?x=1", "ws://host/#x"],
)
def test_a_url_that_is_no_websocket_base_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="url must"):
        check_url(url, "room")
    with pytest.raises(ValueError, match="url must"):
        check_server(url)


@pytest.mark.parametrize(
    ("host", "said"),
    [
        ("host:0", "port must be"),
        ("host:65536", "port must be"),
        ("host:http", "port must be"),
        ("a..b", "host must be"),
        ("a b", "host must be"),
        ("exa%mple", "host must be"),
        ("a" * 64, "host must be"),
    ],
)
def test_a_server_that_cannot_be_is_refused(host: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        check_server(f"ws://{host}/path")


@pytest.mark.parametrize(
    "host", ["localhost:1", "a_b.c:65535", "host.", "münchen.de", "[::1]:80", "10.0.0.1", "[fe80::1%25eth0]"]
)
def test_names_and_addresses_are_servers(host: str) -> None:
    assert check_server(f"wss://{host}") == f"wss://{host}"


def test_the_address_of_a_server_without_rooms_is_taken_as_it_is() -> None:
    assert check_server("wss://host/path/") == "wss://host/path/"


@pytest.mark.parametrize(
    "room", ["", ".", "..", "a/../b", "a/%2E%2e", "a/.", "a\\b", "a\nb", "a\x00", "\x7f", "\ud800"]
)
def test_a_room_that_a_browser_would_turn_into_another_is_refused(room: str) -> None:
    with pytest.raises(ValueError, match="room must"):
        check_url("ws://host", room)


@pytest.mark.parametrize("room", ["...", "a..b", "..a", "a.", ".hidden", "a%2eb"])
def test_dots_inside_a_segment_are_fine(room: str) -> None:
    assert check_url("ws://host", room) == f"ws://host/{room}"


def test_parameters_are_encoded() -> None:
    assert room_url("ws://host/room", {}) == "ws://host/room"
    assert room_url("ws://host/room", {"token": "a b&c", "é": "1"}) == "ws://host/room?token=a+b%26c&%C3%A9=1"


async def test_what_is_given_may_be_a_value_a_function_or_a_coroutine_function() -> None:
    async def fetch() -> dict[str, str]:
        await asyncio.sleep(0)
        return {"token": "fetched"}

    default = {"token": "default"}
    assert await resolve(None, default) == default
    assert await resolve({"token": "fixed"}, default) == {"token": "fixed"}
    assert await resolve(lambda: {"token": "made"}, default) == {"token": "made"}
    assert await resolve(fetch, default) == {"token": "fetched"}
