"""Mergeable content and changes: their JSON text, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from weft.documents.mergeable import (
    MergeableDocument,
    check_changes,
    check_content,
    encode_hlc,
    from_json,
    latest_allowed,
    to_json,
)
from weft.errors import InvalidJsonError, RemoteProtocolError
from weft.values import UNDEFINED, EncodedCell

LATEST = latest_allowed(1_000_000)
HLC = encode_hlc(1_000_000, 0, "a")
LATE = encode_hlc(1_300_001, 0, "a")


def row(*stamp: object) -> list[Any]:
    return [[{"t": [{"r": [{"c": list(stamp)}]}]}], [{}], 1]


def test_text_is_read_and_written_alike() -> None:
    text = '[[{"1":[{"a":[{"c":["￼","",5],"d":["�{}",""]}]}],"t":[{}]}],[{"v":[1e+21,"x"],"w":[null]}],1]'
    read = from_json(text)
    assert read[0][0]["1"][0]["a"][0]["c"][0] is UNDEFINED
    assert to_json(read) == text
    assert to_json(from_json(text.encode())) == text
    assert to_json({"b": 1, "2": True, "1": 0.5}) == '{"1":0.5,"2":true,"b":1}'
    assert from_json('"\\uFFFC"') is UNDEFINED


@pytest.mark.parametrize("text", [b"\xff", "[", "[1,]", "[" * 100_000])
def test_text_that_is_no_json_is_refused(text: str | bytes) -> None:
    with pytest.raises(InvalidJsonError):
        from_json(text)


def test_cells_are_brought_into_their_stored_form() -> None:
    checked = check_changes(row({"a": 1.0}, HLC), LATEST)
    cell, hlc = checked.tables.children["t"].children["r"].children["c"]
    assert (type(cell), cell, hlc) == (EncodedCell, '�{"a":1}', HLC)


@pytest.mark.parametrize(
    "changes",
    [
        None, [], [[{}]], [[{}], [{}], 2], [[{}], [{}], True], [[{}], [{}], 1, 1], {"0": 1},
        [[[]], [{}], 1], [[{}], [[]], 1], [{}, {}, 1], [[{"t": [1]}], [{}], 1], [[{"t": {}}], [{}], 1],
        row(), row(1, "bad"), row(1, None), row(1, 5), row(1, HLC, "x"), row(1, HLC, True), row(1, HLC, 1, 1),
        row(1, HLC, float("inf")),
        row("￼", HLC), row("�no", HLC), row(float("nan")), row(object()), row(2**60),
        [[{}, "bad"], [{}], 1], [[{}, "", float("inf")], [{}], 1], [[{}], [{"v": 1}], 1],
    ],
)  # fmt: skip
def test_what_is_malformed_is_refused(changes: object) -> None:
    with pytest.raises(RemoteProtocolError):
        check_changes(changes, LATEST)


def test_a_hash_may_be_any_number_as_it_is_made_anew() -> None:
    assert check_changes(row(1, HLC, 10**400), LATEST) == check_changes(row(1, HLC, 1), LATEST)


def test_a_stamp_too_far_ahead_is_refused_and_named() -> None:
    for changes in (row(1, LATE), [[{}, LATE], [{}], 1], [[{"t": [{}, LATE]}], [{}], 1]):
        with pytest.raises(RemoteProtocolError, match="five minutes ahead"):
            check_changes(changes, LATEST)


def test_content_needs_its_hashes() -> None:
    content = [[{"t": [{"r": [{"c": [1, HLC, 5]}, "", 6]}, "", 7]}, "", 8], [{}, "", 0]]
    assert check_content(content, LATEST).tables.children.keys() == {"t"}
    for wrong in ([*content, 1], [content[0], [{}]], [[{"t": [{}, ""]}, "", 8], [{}, "", 0]]):
        with pytest.raises(RemoteProtocolError):
            check_content(wrong, LATEST)


def test_half_a_pair_of_utf_16_is_kept_and_written_as_javascript_does() -> None:
    text = '[[{"t":[{"\\ud83d":[{"c":["a\\udc00é"]}]}]}],[{}],1]'
    document = MergeableDocument()
    document.apply(from_json(text))
    assert to_json(document.get_stamps({"t": {"\ud83d": ["c"]}}, ())) == text
    assert '"\\ud83d":[{"c":["a\\udc00é"' in document.content_text()
    with pytest.raises(RemoteProtocolError):
        check_changes(row("�\ud800"), LATEST)
