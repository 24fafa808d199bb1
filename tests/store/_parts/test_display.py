"""How things show themselves, cut off where they are long."""

from __future__ import annotations

from weft.store._parts.display import (
    count,
    html_cells,
    html_table,
    html_tables,
    html_values,
    short,
    short_entries,
    short_row,
)
from weft.values import encode_cell


def test_text_is_short_and_says_how_much_more_there_is() -> None:
    assert [count(number, "row") for number in (0, 1, 1234)] == ["0 rows", "1 row", "1,234 rows"]
    assert short("a") == "'a'"
    assert short(encode_cell([1])) == "[1]"
    assert len(short("x" * 1000)) == 81
    assert short_entries(iter("abc"), 3) == "{a, b, c}"
    assert short_entries(iter("abcdefg"), 1007) == "{a, b, c, d, e, … 1,002 more}"
    assert short_row({"a": 1, "b": None}) == "{'a': 1, 'b': None}"


def test_html_is_escaped_and_bounded() -> None:
    assert html_values({}) == html_tables({}, {}) == ""
    assert html_cells("<r>", {"<a>": "<b>"}) == (
        "<h4>&lt;r&gt;</h4><table><tbody><tr><th>&lt;a&gt;</th><td>&lt;b&gt;</td></tr></tbody></table>"
    )
    assert html_cells("r", {str(number): 1 for number in range(53)}).endswith("<p>… 3 more cells</p>")
    wide = html_table("t", {"r": {}}, map(str, range(51)))
    assert wide.endswith("<p>… 1 more column</p>")
    many = html_tables({str(number): {"r": {}} for number in range(22)}, {str(n): () for n in range(22)})
    assert many.endswith("<p>… 2 more tables</p>")
    assert "x" * 500 + "…" in html_cells("r", {"c": "x" * 600})
