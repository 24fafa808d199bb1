"""The pages of the documentation as a site: built without a warning, with every public name on it."""

from __future__ import annotations

import importlib
import inspect
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from support.llms import LLMS, nav_pages, render_llms
from support.pages import DOCS, ROOT
from support.reference import names_in
from test_package import PUBLIC

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built beside the project and not in it."""
    folder = tmp_path_factory.mktemp("project")
    for name in ("src", "tests"):
        (folder / name).symlink_to(ROOT / name)
    shutil.copytree(DOCS, folder / "docs")
    shutil.copy(ROOT / "zensical.toml", folder)
    done = subprocess.run(
        [sys.executable, "-m", "zensical", "build", "--strict"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "build/site"


def _public_names() -> Iterator[str]:
    """Every exported name, and what may be asked of it where it is a class of weft's."""
    for module in PUBLIC:
        for name, home in names_in(module, PUBLIC):
            thing = getattr(importlib.import_module(module), name)
            if home != module or inspect.ismodule(thing):
                continue
            yield f"{module}.{name}"
            if inspect.isclass(thing) and thing.__name__ == name:
                yield from (
                    f"{module}.{name}.{member}"
                    for owner in thing.__mro__
                    if owner.__module__.startswith("weft")
                    for member in vars(owner)
                    if not member.startswith("_")
                )


@pytest.mark.timeout(240)
def test_every_public_name_and_method_stands_on_the_site(site: Path) -> None:
    pages = "\n".join(page.read_text(encoding="utf-8") for page in site.glob("reference/*.html"))
    anchors = set(re.findall(r'id="(weft\.[^"]+)"', pages))
    assert sorted(set(_public_names()) - anchors) == []
    assert (site / "llms.txt").is_file()
    assert re.findall(r".{20}:(?:meth|class|attr|func):.{20}", pages) == []


def test_every_page_can_be_found() -> None:
    named = sorted(page for _, page in nav_pages())
    assert named == sorted(page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md"))


def test_the_list_for_machines_names_every_page() -> None:
    text = LLMS.read_text(encoding="utf-8")
    assert {page for _, page in nav_pages()} == set(re.findall(r"\]\(([^)]+)\)", text))
    assert text == render_llms(), "see tests/support/reference.py"
