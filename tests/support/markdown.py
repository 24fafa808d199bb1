"""The fenced code blocks of a page, so that what the documentation says is run."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Block", "blocks"]

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Block:
    """One block: its language, its text, the line it starts at, and what it prints.

    ``prints`` is the ``text`` block that follows directly, with only prose of one line in between at most.
    """

    language: str
    text: str
    line: int
    prints: str | None


def blocks(page: Path) -> list[Block]:
    """Read all blocks of a page in order."""
    source = page.read_text(encoding="utf-8")
    found = list(_FENCE.finditer(source))
    result = []
    for number, match in enumerate(found):
        after = found[number + 1] if number + 1 < len(found) else None
        prints = None
        if after is not None and after[1] == "text" and source[match.end() : after.start()].count("\n") <= 4:
            prints = after[2]
        result.append(Block(match[1], match[2], source.count("\n", 0, match.start()) + 1, prints))
    return result
