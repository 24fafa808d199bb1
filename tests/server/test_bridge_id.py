from __future__ import annotations

from support.bridged import DOCUMENT
from weft.server import bridge_document_id
from weft.server.bridge_id import bridge_path


def test_the_id_of_a_room_s_document_never_changes() -> None:
    assert DOCUMENT == "2JtZRpFVJp1FworAZN2Dm72ukMKy"
    assert bridge_document_id("é/😀") != bridge_document_id("é/")


def test_the_path_of_tinybase_s_clients_is_the_name_as_a_url_has_it() -> None:
    # As new URL(`ws://host/${name}`).pathname has it.
    assert bridge_path("a/b c") == "a/b%20c"
    assert bridge_path("höfe:1@x=[y]") == "h%C3%B6fe:1@x=[y]"
    assert bridge_path("50%") == "50%25"
