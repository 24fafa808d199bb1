"""Saved documents: how much they unpack to."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, strategies as st

from support.automerge_chunks import chunk, deflated, honest_changes
from weft._codecs.automerge.chunks import DOCUMENT, split_chunks
from weft._codecs.automerge.leb128 import write_uint
from weft._codecs.automerge.saved_document import check_document
from weft.errors import RemoteProtocolError


@given(st.data())
def test_a_damaged_document_is_looked_at_or_refused(data: st.DataObject) -> None:
    whole = split_chunks(honest_changes()[0])[0]
    damaged = bytearray(whole.data)
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(whole.start, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    end = data.draw(st.integers(whole.start, len(damaged)))
    with suppress(RemoteProtocolError):
        check_document(whole._replace(data=bytes(damaged[:end])))


def test_runs_that_unpack_to_too_much_are_refused() -> None:
    billion = b"\x80\x94\xeb\xdc\x03"
    document = b"\x00\x00\x00\x01\x42\x06" + billion + b"\x01"
    (as_document,) = split_chunks(chunk(DOCUMENT, document))
    with pytest.raises(RemoteProtocolError, match="too many operations"):
        check_document(as_document)


def test_a_document_that_inflates_to_too_much_is_refused() -> None:
    packed = deflated(bytes(1_000_000))
    content = b"\x00\x00\x00\x01" + write_uint(86 | 8 | 1) + write_uint(len(packed)) + packed
    (document,) = split_chunks(chunk(DOCUMENT, content))
    check_document(document)
    with pytest.raises(RemoteProtocolError, match="too large"):
        check_document(document, 500_000)


def test_the_documents_of_the_binding_pass_the_look_at_them() -> None:
    saved, _ = honest_changes()
    for each in split_chunks(saved):
        check_document(each)
