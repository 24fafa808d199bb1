"""``docs/reference.md``: every public name with its first sentence, from the source.

After a public name was added, or its docstring changed::

    PYTHONPATH=tests python tests/support/reference.py
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from pathlib import Path
from typing import TYPE_CHECKING

from support.pages import DOCS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import ModuleType

__all__ = ["REFERENCE", "render"]

REFERENCE = DOCS / "reference.md"

HEAD = """\
# Every public name

Where to import it from, and the first sentence of what it says of itself; `help()` tells the rest. What is
not listed here is weft's own business and may move.
"""


def render(modules: Sequence[str]) -> str:
    """Make the page."""
    parts = [HEAD]
    for name in modules:
        module = importlib.import_module(name)
        rows = [
            f"| `{export}` | {_escaped(_sentence(module, export))} |" for export in sorted(module.__all__)
        ]
        parts.append("\n".join([f"## {name}\n", "| name | what it is |", "|---|---|", *rows, ""]))
    return "\n".join(parts)


def _escaped(text: str) -> str:
    return re.sub(r":\w+:`~?([^`]*)`", r"`\1`", text).replace("``", "`").replace("|", "\\|")


def _sentence(module: ModuleType, export: str) -> str:
    thing = getattr(module, export)
    if inspect.ismodule(thing):
        return _first(thing.__doc__ or "")
    if (inspect.isclass(thing) or inspect.isroutine(thing)) and thing.__module__.startswith("weft"):
        return _first(inspect.getdoc(thing) or "")
    return next(_first(text) for text in _assigned(module, export) if text)


def _first(doc: str) -> str:
    paragraph = " ".join(doc.strip().partition("\n\n")[0].split())
    return re.split(r"(?<=[.!?])\s", paragraph)[0].rstrip(".:")


def _assigned(module: ModuleType, export: str) -> Iterator[str]:
    """What is said of a name that is assigned to: the text below it, or the comment beside or above."""
    for path in _sources(module):
        source = path.read_text(encoding="utf-8")
        lines = source.splitlines()
        body = ast.parse(source).body
        for node, after in zip(body, [*body[1:], None], strict=True):
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            if not any(isinstance(target, ast.Name) and target.id == export for target in targets):
                continue
            if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
                yield str(after.value.value)
            yield lines[node.lineno - 1].partition("  # ")[2]
            above = node.lineno - 2
            comment: list[str] = []
            while lines[above].startswith("# "):
                comment.insert(0, lines[above][2:])
                above -= 1
            yield " ".join(comment)
            value = (
                ast.unparse(node.value) if isinstance(node, ast.Assign | ast.AnnAssign) and node.value else ""
            )
            shown = value.strip("'\"")
            yield f"`{shown[:100]}{'…' if len(shown) > 100 else ''}`"


def _sources(module: ModuleType) -> Iterator[Path]:
    """Files in which a public package's names may be assigned: its own, and those of the layers below."""
    assert module.__file__ is not None
    home = Path(module.__file__)
    root = next(parent for parent in home.parents if parent.name == "weft")
    yield home
    yield from sorted(home.parent.rglob("*.py"))
    yield from sorted(root.rglob("*.py"))


if __name__ == "__main__":
    from test_package import PUBLIC

    REFERENCE.write_text(render(PUBLIC), encoding="utf-8")
