"""Running what a page of the documentation shows, block by block."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from support.markdown import Block, blocks
from support.node import NodeProgram
from support.serving import complaints

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["DOCS", "ROOT", "RUN_HERE", "import_modules", "modules_of", "page_name", "run_page"]

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
RUN_HERE = {"python", "js"}
_FILE = re.compile(r"# (\w+)\.py\n")


def page_name(path: Path) -> str:
    """Name a page in messages."""
    return path.relative_to(ROOT).as_posix()


def run_page(page: Path, folder: Path, places: Mapping[str, str]) -> None:
    """Run the blocks in order; each prints what the page says.

    Args:
        page: The page.
        folder: Where they run; empty at first.
        places: What stands on the page for something that only a test can name, and that name.
    """
    for name, source in modules_of(page):  # for the other blocks to import
        (folder / f"{name}.py").write_text(source, encoding="utf-8")
    for block in blocks(page):
        source = block.text
        for shown, real in places.items():
            source = source.replace(shown, real)
        if block.language == "python":
            _python(page, block, source, folder)
        elif block.language == "js":
            _javascript(block, source)


def import_modules(page: Path) -> dict[str, ModuleType]:
    """Import the blocks that begin with the name of a module."""
    modules = {}
    for name, source in modules_of(page):
        module = modules[name] = sys.modules[name] = ModuleType(name)
        exec(compile(source, f"{page}:{name}", "exec"), module.__dict__)
    return modules


def modules_of(page: Path) -> Iterator[tuple[str, str]]:
    """Give the name and source of the blocks that begin with the name of a module."""
    for block in blocks(page):
        if block.language == "python" and (name := _FILE.match(block.text)):
            yield name[1], block.text


def _python(page: Path, block: Block, source: str, folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", source],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
        cwd=folder,
    )
    where = f"{page_name(page)}:{block.line}"
    assert done.returncode == 0, f"{where}\n{done.stderr}"
    assert not complaints(done.stderr).strip(), f"{where}\n{done.stderr}"
    if block.prints is not None:
        assert done.stdout == block.prints, f"{where}\n{done.stdout}"


def _javascript(block: Block, source: str) -> None:
    # It stays connected, as applications do, and has done its work when it has printed what the page says.
    assert block.prints is not None, f"the JavaScript block at line {block.line} must say what it prints"
    with NodeProgram(source) as program:
        for line in block.prints.splitlines():
            program.wait_for_line(line)
