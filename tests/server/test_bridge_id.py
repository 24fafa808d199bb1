from __future__ import annotations

from support.bridged import DOCUMENT
from weft.server import bridge_document_id


def test_the_id_of_a_room_s_document_never_changes() -> None:
    assert DOCUMENT == "2JtZRpFVJp1FworAZN2Dm72ukMKy"
    assert bridge_document_id("é/😀") != bridge_document_id("é/")
