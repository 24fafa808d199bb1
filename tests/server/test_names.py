from __future__ import annotations

import unicodedata
from urllib.parse import quote

import pytest
from hypothesis import given, strategies as st

from weft.server.names import MAX_ROOM_NAME, read_query, read_room


@pytest.mark.parametrize(
    ("target", "room"),
    [
        ("/room", "room"),
        ("/room?token=x", "room"),
        ("/a/b/c", "a/b/c"),
        ("/my%20room", "my room"),
        ("/my room", "my room"),
        ("/%C3%A9", "é"),
        ("/a%2Fb", "a/b"),
        ("/%2525", "%25"),
        ("/%zz", "%zz"),
        ("/a%3Fb?c", "a?b"),
        ("//x", "/x"),
        ("/room/", "room/"),
        ("/health", "health"),
        ("/..x", "..x"),
        ("/...", "..."),
        ("/CON", "CON"),
        ("/" + "x" * MAX_ROOM_NAME, "x" * MAX_ROOM_NAME),
        ("/%F0%9F%90%95", "🐕"),
        ("/\udcc3\udca9", "é"),  # raw UTF-8 as websockets hands it on
    ],
)
def test_the_path_is_the_room_decoded_once(target: str, room: str) -> None:
    assert read_room(target) == room


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("/", "empty"),
        ("/?token=x", "empty"),
        ("", "slash"),
        ("room", "slash"),
        ("*", "slash"),
        ("/" + "x" * (MAX_ROOM_NAME + 1), "longer than 512 bytes"),
        ("/" + "%C3%A9" * 257, "longer than 512 bytes"),
        ("/" + "x" * 10_000, "longer"),
        ("/%00", "control"),
        ("/a%00b", "control"),
        ("/a%0Ab", "control"),
        ("/a\tb", "control"),
        ("/%7F", "control"),
        ("/%C2%85", "control"),
        ("/%E2%80%A8", "control"),
        ("/%ED%A0%80", "UTF-8"),
        ("/%FF", "UTF-8"),
        ("/\udcff", "UTF-8"),
        ("/%C3", "UTF-8"),
        ("/..", "dot segment"),
        ("/.", "dot segment"),
        ("/../x", "dot segment"),
        ("/a/../b", "dot segment"),
        ("/%2e%2e%2fetc%2fpasswd", "dot segment"),
        ("/a/%2E", "dot segment"),
    ],
)
def test_what_names_no_room_is_refused_with_a_reason(target: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        read_room(target)


@given(st.text(min_size=1, max_size=60))
def test_every_name_that_is_accepted_comes_through_unchanged(name: str) -> None:
    try:
        raw = name.encode()
    except UnicodeEncodeError:
        return
    bad = any(unicodedata.category(character) in {"Cc", "Zl", "Zp"} for character in name) or any(
        segment in {".", ".."} for segment in name.split("/")
    )
    if bad or len(raw) > MAX_ROOM_NAME:
        with pytest.raises(ValueError, match="the room name"):
            read_room("/" + quote(name, safe=""))
    else:
        assert read_room("/" + quote(name, safe="")) == name
        assert read_room("/" + quote(name, safe="/")) == name


@given(st.text(alphabet="/ab.%e2AF0\\é\0?", max_size=20), st.text(alphabet="/ab.%e2AF0\\é\0?", max_size=20))
def test_two_rooms_are_one_only_if_their_decoded_paths_are(first: str, second: str) -> None:
    """No normalisation: twins in case or in Unicode form are different rooms."""

    def named(target: str) -> str | None:
        try:
            return read_room("/" + target)
        except ValueError:
            return None

    one, other = named(first), named(second)
    if one is not None and one == other:
        assert read_room("/" + quote(one, safe="")) == other
    assert named("NAME") != named("name")
    assert named("%C3%A9") != named("e%CC%81")


def test_the_first_of_a_repeated_parameter_counts() -> None:
    assert read_query("/r?a=1&b=&a=2&c=%20x") == {"a": "1", "b": "", "c": " x"}
    assert read_query("/r") == {}


def test_too_many_parameters_are_refused() -> None:
    with pytest.raises(ValueError, match="fields"):
        read_query("/r?" + "&".join(f"p{number}" for number in range(200)))
