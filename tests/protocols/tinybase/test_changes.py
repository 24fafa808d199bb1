"""Changes put together: the later stamp of each, and nothing of what was given is changed."""

from __future__ import annotations

from copy import deepcopy
from itertools import permutations

from weft.documents.mergeable import MergeableDocument
from weft.protocols.tinybase import merge_changes


def test_merged_changes_do_what_all_of_them_do() -> None:
    document, events = MergeableDocument("a"), []
    document.subscribe(lambda event: events.append(event.changes))
    for number in range(6):
        document.set_cell("t", f"r{number % 2}", f"c{number % 3}", number)
        document.set_value(f"v{number % 2}", number)
        document.set_cell("t", "r0", "c0", number)
    before = deepcopy(events)
    for order in (events, events[::-1]):
        merged = MergeableDocument("b")
        merged.apply(merge_changes(order))
        assert merged.get_content() == document.get_content()
    assert events == before


def test_stamps_of_rows_and_tables_are_the_latest() -> None:
    one = [[{"t": [{"r": [{}, "1" * 16]}, "3" * 16]}, "1" * 16], [{}], 1]
    two = [[{"t": [{"r": [{}, "2" * 16]}]}, "2" * 16], [{"v": [1]}, "4" * 16], 1]
    for order in permutations([one, two]):
        assert merge_changes(order) == [
            [{"t": [{"r": [{}, "2" * 16]}, "3" * 16]}, "2" * 16],
            [{"v": [1]}, "4" * 16],
            1,
        ]
