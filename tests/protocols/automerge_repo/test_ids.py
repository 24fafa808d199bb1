from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from weft.protocols.automerge_repo import (
    decode_document_id,
    document_url,
    encode_document_id,
    parse_document_url,
)


@given(st.binary(min_size=16, max_size=16))
def test_document_ids_come_back(data: bytes) -> None:
    document_id = encode_document_id(data)
    assert decode_document_id(document_id) == data
    assert parse_document_url(document_url(document_id)) == document_id


def test_document_ids_are_those_of_javascript() -> None:
    """bs58check, as automerge-repo 2.5.6 encodes ids with it."""
    assert encode_document_id(bytes(range(16))) == "1Bhh3pU9gLXZiNDL6PEa1Gs9fh"
    assert parse_document_url("automerge:1Bhh3pU9gLXZiNDL6PEa1Gs9fh") == "1Bhh3pU9gLXZiNDL6PEa1Gs9fh"
    for bad in (
        "",
        "automerge:",
        "1Bhh3pU9gLXZiNDL6PEa1Gs9fi",
        "0OIl",
        "1" * 100,
        encode_document_id(bytes(16)) + "1",
    ):
        with pytest.raises(ValueError, match="document id"):
            parse_document_url(bad)


@pytest.mark.parametrize(
    "heads", ["#", "#2bM2eTMvYvkQYZFzhmMLGYEVdXDbLqLJPUNkVTSkdgUaeGPHiY", "#a|b", "#a#b"]
)
def test_a_url_that_names_heads_does_not_open_the_living_document(heads: str) -> None:
    document_id = encode_document_id(bytes(range(16)))
    with pytest.raises(ValueError, match="as it was at certain heads") as caught:
        parse_document_url(document_url(document_id) + heads)
    assert str(caught.value).endswith(f"leave out what comes after it: {document_url(document_id)}")
