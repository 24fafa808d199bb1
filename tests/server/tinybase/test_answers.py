"""Answers that are cut to what a client takes, and clients that get everything all the same."""

from __future__ import annotations

import pytest

from support.servers import serving
from support.tableclient import TableClient
from weft.documents.mergeable import MergeableDocument, to_json
from weft.limits import Limits
from weft.protocols.tinybase import MessageType
from weft.server._core.settings import RoomSettings
from weft.server.tinybase.answers import ROOM_FOR_HEADS, cut_answer


def large_document(cells: int = 300) -> MergeableDocument:
    document = MergeableDocument()
    with document.transaction():
        for number in range(cells):
            document.set_cell(f"t{number % 3}", f"r{number % 100}", f"c{number}", "x" * 300)
            document.set_value(f"v{number}", "x" * 100)
    return document


@pytest.mark.parametrize("size", [0, 100, 1000, 20_000, 10_000_000])
def test_what_is_left_fits_has_no_empty_rows_and_is_at_least_one_cell(size: int) -> None:
    document = large_document()
    for kind, answer in (
        (MessageType.GET_TABLE_DIFF, document.get_table_diff({})),
        (MessageType.GET_ROW_DIFF, document.get_row_diff({"t0": {}, "t1": {"r1": 5}})),
        (MessageType.GET_CELL_DIFF, document.get_cell_diff({"t0": {"r0": {}, "r3": {"c3": 1}}})),
        (MessageType.GET_VALUE_DIFF, document.get_value_diff({})),
    ):
        whole = to_json(answer)
        left = cut_answer(kind, answer, size)
        assert to_json(answer) == whole, "it stays as it is"
        stamps = left[0] if isinstance(left[0], list) else left
        assert stamps[0]
        if kind is not MessageType.GET_VALUE_DIFF:
            assert all(table[0] and all(row[0] for row in table[0].values()) for table in stamps[0].values())
        if size >= 20_000:
            assert len(to_json(left)) <= max(size, len(whole))
        if size > 2 * len(whole):
            assert left == answer


def test_hashes_are_never_cut() -> None:
    assert cut_answer(MessageType.GET_CONTENT_HASHES, [1, 2], 0) == [1, 2]


async def test_who_joins_gets_a_document_that_is_larger_than_a_message_turn_by_turn() -> None:
    limits = Limits(max_message=ROOM_FOR_HEADS + 20_000)
    settings = RoomSettings(tick=0.01, unload_delay=0.0)
    async with (
        serving(limits=limits, settings=settings) as server,
        server.use_mergeable("room") as room,
        TableClient(server.url, "room") as there,
    ):
        await there.flush()
        room.document.apply(large_document().get_content())
        wanted = room.document.get_content_hashes()
        await there.wait(lambda: there.document.get_content_hashes() == wanted)
        async with TableClient(server.url, "room") as late:
            await late.wait(lambda: late.document.get_content_hashes() == wanted)
        assert max(map(len, there.frames)) <= limits.max_message
