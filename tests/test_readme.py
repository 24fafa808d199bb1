"""What the README and the pages of docs/ say is run here, block by block."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from support.markdown import blocks
from support.node import INTEROP
from support.pages import DOCS, ROOT, RUN_HERE, page_name, run_page
from support.serving import WeftServe

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

README = ROOT / "README.md"
PAGES = [README, *sorted(DOCS.rglob("*.md"))]
URL = "ws://127.0.0.1:1234"
# Shown, not run: shell lines are the reader's to type (the README's two are looked at below), text is output.
# The tutorial's web page runs where it comes from, in tests/test_examples.py.
SHOWN = {"sh", "text", "html", "javascript"}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[WeftServe]:
    with WeftServe(tmp_path / "weft.sqlite3") as server:
        yield server


@pytest.mark.interop
@pytest.mark.usefixtures("_node")
@pytest.mark.parametrize(
    "page",
    # Those of the persisters run in tests/persisters/, where their servers are.
    [
        page
        for page in (README, *sorted(DOCS.glob("*.md")))
        if any(b.language in RUN_HERE for b in blocks(page))
    ],
    ids=page_name,
)
def test_the_blocks_of_a_page_run_in_order_and_print_what_they_say(
    page: Path, server: WeftServe, tmp_path: Path
) -> None:
    run_page(page, tmp_path, {URL: server.url})


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_every_block_has_a_language_that_somebody_looks_at(page: Path) -> None:
    assert {block.language for block in blocks(page)} <= RUN_HERE | SHOWN
    text = page.read_text(encoding="utf-8")
    assert len(blocks(page)) * 2 == len(re.findall(r"^\s*```", text, re.MULTILINE)), "an unclosed block"


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CHANGELOG.md", ROOT / "SECURITY.md"], ids=page_name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).is_file(), target


@pytest.mark.parametrize(("index", "folder"), [("index.md", "."), ("persisters.md", "persisters")])
def test_every_page_is_reached_from_the_index(index: str, folder: str) -> None:
    text = (DOCS / index).read_text(encoding="utf-8")
    pages = {page.relative_to(DOCS).as_posix() for page in (DOCS / folder).glob("*.md")} - {index}
    assert {page for page in pages if f"]({page})" not in text} == set()


def test_the_tutorial_shows_the_example() -> None:
    shown = [block.text for block in blocks(DOCS / "tutorial.md")]
    for file in (ROOT / "examples/todo").iterdir():
        assert file.read_text(encoding="utf-8") in shown, file


def test_the_first_program_is_short_and_has_a_javascript_peer() -> None:
    first, second = (block for block in blocks(README) if block.language in RUN_HERE)
    assert (first.language, second.language) == ("python", "js")
    assert len(first.text.splitlines()) <= 15


def _commands() -> list[str]:
    return [block.text.strip() for block in blocks(README) if block.language == "sh"]


def test_the_two_commands_are_one_line_each_and_stand_alone() -> None:
    demo, tests = _commands()
    for command in (demo, tests):
        assert "\n" not in command
        assert command.startswith("python3 -m venv ")
        environment = command.split()[3]
        # Everything after the first step runs in the environment the first step made.
        for step in command.split(" && ")[1:]:
            assert step.startswith(f"{environment}/bin/"), step
    assert demo.endswith("weft demo")
    assert tests.endswith("-m pytest")


def test_the_gate_runs_the_readmes_test_command() -> None:
    assert _commands()[1] in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()


def test_javascript_blocks_use_packages_that_are_pinned() -> None:
    pinned = (INTEROP / "package.json").read_text(encoding="utf-8")
    for page in PAGES:
        for block in blocks(page):
            if block.language == "js":
                for package in re.findall(r"from '((?:@[^'/]+/)?[^'./@][^'/]*)", block.text):
                    assert f'"{package}"' in pinned, package
