"""``docs/llms.txt``: the pages of the site for machines, in the form of llmstxt.org.

It is made of the site's navigation and of what the indexes say of each page, by the command that makes
``docs/reference/`` (``tests/support/reference.py``).
"""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any

from support.pages import DOCS, ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["LLMS", "nav_pages", "render_llms"]

LLMS = DOCS / "llms.txt"

_ROW = re.compile(r"^\| \[[^\]]+\]\(([^)#]+)\) \| (.+) \|$", re.MULTILINE)


def nav_pages() -> Iterator[tuple[str, str]]:
    """Give each page of the navigation with the group it is in, in order."""
    nav = tomllib.loads((ROOT / "zensical.toml").read_text(encoding="utf-8"))["project"]["nav"]
    for entry in nav:
        for group, pages in entry.items():
            yield from ((group, page) for page in _flat(pages))


def render_llms() -> str:
    """Make the file. The pages of single modules come last, under what may be left out."""
    text = (DOCS / "index.md").read_text(encoding="utf-8")
    told = dict(_ROW.findall(text))
    for page, sentence in _ROW.findall((DOCS / "reference/index.md").read_text(encoding="utf-8")):
        told[f"reference/{page}"] = sentence
    groups: dict[str, list[str]] = {}
    for group, page in nav_pages():
        title, first = _head(page)
        single = page.startswith("reference/") and page != "reference/index.md"
        groups.setdefault("Optional" if single else group, []).append(
            f"- [{title}]({page}): {told.get(page, first)}\n"
        )
    del groups["Start"]
    summary = " ".join(text.partition("# weft\n\n")[2].partition(". ")[0].split())
    sections = (f"\n## {group}\n\n{''.join(lines)}" for group, lines in sorted(groups.items(), key=_last))
    return (
        f"# weft\n\n> {summary}.\n\n"
        "The links are to the pages' sources in docs/, beginning with [the start page](index.md); on the\n"
        "site their names end in .html. Programs to copy from are in examples/.\n" + "".join(sections)
    )


def _last(group: tuple[str, list[str]]) -> bool:
    return group[0] == "Optional"


def _flat(pages: Any) -> Iterator[str]:
    if isinstance(pages, str):
        yield pages
    else:
        for page in pages.values() if isinstance(pages, dict) else pages:
            yield from _flat(page)


def _head(page: str) -> tuple[str, str]:
    """The title of a page, and its first sentence, or the title again where it does not begin with one."""
    title, first, *_ = (DOCS / page).read_text(encoding="utf-8").removeprefix("# ").split("\n\n")
    if first.startswith(("#", "|")):
        return title, title
    plain = re.sub(r"\[([^]]+)\]\([^)]+\)", r"\1", " ".join(first.split()))
    return title, re.split(r"(?<=[\w`])[.:](?:\s|$)", plain)[0].rstrip(".:")
