"""What the README and the pages of docs/ say is run here, block by block."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support.markdown import Block, blocks
from support.node import INTEROP, NodeProgram
from support.serving import WeftServe

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").rglob("*.md"))]
URL = "ws://127.0.0.1:1234"
RUN_HERE = {"python", "js"}
# Shown, not run: shell lines are the reader's to type (the README's two are looked at below), text is output.
SHOWN = {"sh", "text"}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[WeftServe]:
    with WeftServe(tmp_path / "weft.sqlite3") as server:
        yield server


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _python(page: Path, block: Block, source: str, folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", source],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
        cwd=folder,
    )
    where = f"{_name(page)}:{block.line}"
    assert done.returncode == 0, f"{where}\n{done.stderr}"
    assert not done.stderr.strip(), f"{where}\n{done.stderr}"
    if block.prints is not None:
        assert done.stdout == block.prints, where


def _javascript(block: Block, source: str) -> None:
    # It stays connected, as applications do, and has done its work when it has printed what the page says.
    assert block.prints is not None, f"the JavaScript block at line {block.line} must say what it prints"
    with NodeProgram(source) as program:
        for line in block.prints.splitlines():
            program.wait_for_line(line)


@pytest.mark.interop
@pytest.mark.usefixtures("_node")
@pytest.mark.parametrize(
    "page", [page for page in PAGES if any(block.language in RUN_HERE for block in blocks(page))], ids=_name
)
def test_the_blocks_of_a_page_run_in_order_and_print_what_they_say(
    page: Path, server: WeftServe, tmp_path: Path
) -> None:
    for block in blocks(page):
        source = block.text.replace(URL, server.url)
        if block.language == "python":
            _python(page, block, source, tmp_path)
        elif block.language == "js":
            _javascript(block, source)


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_block_has_a_language_that_somebody_looks_at(page: Path) -> None:
    assert {block.language for block in blocks(page)} <= RUN_HERE | SHOWN
    text = page.read_text(encoding="utf-8")
    assert len(blocks(page)) * 2 == len(re.findall(r"^\s*```", text, re.MULTILINE)), "an unclosed block"


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CHANGELOG.md"], ids=_name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).is_file(), target


def test_every_page_is_reached_from_the_index() -> None:
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    pages = {page.name for page in (ROOT / "docs").glob("*.md")} - {"index.md"}
    assert {page for page in pages if f"]({page})" not in index} == set()


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
                for package in re.findall(r"from '([^'./][^'/]*)", block.text):
                    assert f'"{package}"' in pinned, package
