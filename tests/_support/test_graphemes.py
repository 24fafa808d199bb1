"""Where a text may be cut."""

from __future__ import annotations

import pytest

from weft._support.graphemes import is_border

CLUSTERS = [
    "a", " ", "\r\n", "e\u0301", "e\u0301\u0323", "한", "\u1112\u1161\u11ab", "각\u11a8", "👍🏽", "👩‍👩‍👧",
    "❤\ufe0f", "🇩🇪", "🇫🇷", "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", "क्षि",
    "ก็", "נִ", "ﷺ", "🙂", "漢",
]  # fmt: skip


@pytest.mark.parametrize("before", CLUSTERS)
def test_a_text_is_cut_between_characters_only(before: str) -> None:
    for after in CLUSTERS:
        text = f"x{before}{after}x"
        found = {index for index in range(len(text) + 1) if is_border(text, index)}
        assert found == {0, 1, 1 + len(before), 1 + len(before) + len(after), len(text)}, (before, after)


def test_the_ends_are_borders_and_a_number_sign_belongs_to_its_number() -> None:
    assert is_border("", 0)
    assert is_border("\u0301", 0)
    assert not is_border("\u06001", 1)
    assert [is_border("🇩🇪🇫🇷🇮", index) for index in range(6)] == [True, False, True, False, True, True]
