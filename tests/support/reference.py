"""``docs/reference/``: a page for each public module, which names what the site is to show of it.

After a public name or a page was added (``docs/llms.txt`` names all of them)::

    PYTHONPATH=tests python tests/support/reference.py

What stands on the pages of the site comes from the docstrings (``zensical.toml``).
"""

from __future__ import annotations

import importlib
import inspect
import re
import shutil
from typing import TYPE_CHECKING

from support.llms import LLMS, render_llms
from support.pages import DOCS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["REFERENCE", "names_in", "render"]

REFERENCE = DOCS / "reference"

_HEAD = """\
# Every public name

A page for each module that may be imported from. What is on none of them is weft's own business and may move.

| module | what it is |
|---|---|
"""


def render(modules: Sequence[str]) -> Mapping[str, str]:
    """Make the pages: name of the file to its text."""
    rows = [f"| [{name}]({name}.md) | {_sentence(name)} |\n" for name in modules]
    return {"index.md": _HEAD + "".join(rows)} | {f"{name}.md": _page(name, modules) for name in modules}


def names_in(module: str, modules: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Give what a module exports, each with the module on whose page it is described: the innermost."""
    exported = importlib.import_module(module)
    for name in sorted(exported.__all__):
        thing = getattr(exported, name)
        if inspect.ismodule(thing):
            if thing.__name__ in modules:
                yield name, thing.__name__
        else:
            same = (
                other
                for other in modules
                if _exports(other, name) and getattr(importlib.import_module(other), name) is thing
            )
            yield name, max(same, key=lambda other: (other.count("."), other == module))


def _exports(module: str, name: str) -> bool:
    return name in importlib.import_module(module).__all__


def _page(module: str, modules: Sequence[str]) -> str:
    parts = [
        f"# {module}\n\n::: {module}\n    options:\n      members: false\n      show_root_heading: false\n"
    ]
    names = dict(names_in(module, modules))
    elsewhere = {name: home for name, home in names.items() if home != module}
    if elsewhere:
        links = (
            f"[`{name}`]({home}.md{f'#{home}.{name}' if _exports(home, name) else ''})"
            for name, home in elsewhere.items()
        )
        parts.append("Also to be imported from here: " + ",\n".join(links) + ".\n")
    parts += (f"::: {module}.{name}\n" for name, home in names.items() if home == module)
    return "\n".join(parts)


def _sentence(module: str) -> str:
    paragraph = " ".join((importlib.import_module(module).__doc__ or "").strip().partition("\n\n")[0].split())
    return re.split(r"(?<=[.!?])\s", paragraph)[0].rstrip(".:").replace("``", "`").replace("|", "\\|")


if __name__ == "__main__":
    from test_package import PUBLIC

    shutil.rmtree(REFERENCE, ignore_errors=True)
    REFERENCE.mkdir()
    for file, text in render(PUBLIC).items():
        (REFERENCE / file).write_text(text, encoding="utf-8")
    LLMS.write_text(render_llms(), encoding="utf-8")
