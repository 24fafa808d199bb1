from __future__ import annotations

import random
from typing import Any

import pytest

from support.vectors import vectors
from weft.errors import StorageError
from weft.persisters._core.unsaved import merge
from weft.persisters.partykit.messages import (
    Leaves,
    changes_of,
    cut,
    lacking,
    leaves_of,
    leaves_of_content,
    message_of,
    parse_message,
)
from weft.store import Store
from weft.values import UNDEFINED


def test_messages_of_tinybase_are_read_and_written_as_they_are() -> None:
    texts = [
        text for client in "AB" for what, text, *_ in vectors("partykit")["two"][client] if what != "close"
    ]
    read = {text: parse_message(text, "") for text in texts if text.endswith(",1]")}
    assert len(read) > 10
    for text, leaves in read.items():
        assert leaves is not None
        assert message_of(leaves, "") == text
        assert parse_message("p/" + text, "p/") == leaves
        assert parse_message("p/" + text, "") is None


@pytest.mark.parametrize(
    "text", ["s", "sjunk", "s[{},{}]", "s[{},{},2]", "s[[],{},1]", 's[{"t":1},{},1]', "s" + "[" * 100_000]
)
def test_what_is_no_message_of_changes_is_refused(text: str) -> None:
    with pytest.raises(StorageError):
        parse_message(text, "")


def test_messages_of_other_parts_of_a_party_are_passed_over() -> None:
    assert parse_message("hello", "") is None
    assert parse_message("", "p") is None


def content_of(rows: int, cells: int) -> tuple[dict[str, Any], dict[str, Any]]:
    row = {str(cell): "x" for cell in range(cells)}
    return {"t": {f"r{number}": dict(row) for number in range(rows)}}, {"v": 1}


@pytest.mark.parametrize(("rows", "cells"), [(1, 1), (100, 1), (3, 200), (500, 3)])
def test_no_piece_has_more_keys_than_a_durable_object_takes_at_once(rows: int, cells: int) -> None:
    there = leaves_of_content(content_of(rows, cells))
    pieces = list(cut(there))
    assert {path: leaf for piece in pieces for path, leaf in piece.items()} == there
    assert max(map(len, pieces)) <= 127

    keys = dict(there)
    for piece in cut({("t", "t"): UNDEFINED, ("v", "v"): UNDEFINED}, there):
        gone = {key for key in keys if any(key[: len(path)] == path for path in piece)}
        assert len(gone) <= 127
        for key in gone:
            del keys[key]
    assert keys == {}


def test_many_rows_of_a_large_room_go_in_pieces_at_once() -> None:
    there: Leaves = {("t", "t", str(row), str(cell)): 1 for row in range(20_000) for cell in range(5)}
    rows: Leaves = {("t", "t", str(row)): UNDEFINED for row in range(20_000)}
    assert len(list(cut(rows, there))) == 20_000 // 25  # looking through the room for each took minutes


def test_half_a_character_in_a_list_is_left_to_who_takes_it_in() -> None:
    text = 's[{},{"v":["\\ud83d"],"w":[1]},1]'
    assert parse_message(text, "") == {("v", "v"): ["\ud83d"], ("v", "w"): "\ufffd[1]"}


def test_no_piece_is_larger_than_a_message_may_be() -> None:
    leaves: Leaves = {("v", str(number)): "é" * 10_000 for number in range(100)}
    assert max(len(message_of(piece, "").encode()) for piece in cut(leaves)) < 2**20


def test_a_room_lacks_what_differs() -> None:
    there = leaves_of_content(({"t": {"r": {"a": 1, "b": True, "o": '\ufffd{"a":1,"b":2}'}}}, {"v": None}))
    wanted = leaves_of(
        (
            {"t": {"r": {"a": True, "b": True, "c": UNDEFINED, "o": '\ufffd{"b":2,"a":1}'}}, "u": UNDEFINED},
            {"v": None, "w": 0},
            1,
        )
    )
    assert lacking(there, wanted) == {("t", "t", "r", "a"): True, ("v", "w"): 0}
    assert lacking(there, {("t", "t"): UNDEFINED}) == {("t", "t"): UNDEFINED}


@pytest.mark.parametrize("seed", range(20))
def test_what_is_lacking_makes_one_content_of_another_in_pieces(seed: int) -> None:
    draw = random.Random(seed)

    def content() -> tuple[dict[str, Any], dict[str, Any]]:
        store = Store()
        for _ in range(draw.randrange(60)):
            store.set_cell(draw.choice("tu"), draw.choice("rs"), draw.choice("abc"), draw.randrange(3))
            store.set_value(draw.choice("vw"), draw.choice([None, True, 1, {"a": 1}]))
        tables, values = store.get_content()
        return tables, values

    before, after = content(), content()
    wanted = leaves_of_content(after)
    wanted |= dict.fromkeys(leaves_of_content(before).keys() - wanted.keys(), UNDEFINED)
    for piece in cut(lacking(leaves_of_content(before), wanted)):
        merge(before, changes_of(parse_message(message_of(piece, ""), "") or {}))
    assert leaves_of_content(before) == leaves_of_content(after), seed
