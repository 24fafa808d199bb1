"""What programs import: few paths, guessable, the same in every page, and what is missing is named."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from support.markdown import blocks
from support.pages import DOCS, ROOT, page_name
from support.reference import REFERENCE, render
from test_package import PUBLIC

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SHOWN = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    *sorted(DOCS.rglob("*.md")),
    *sorted((ROOT / "examples").glob("*.py")),
]


def _programs(path: Path) -> Iterator[str]:
    if path.suffix == ".py":
        yield path.read_text(encoding="utf-8")
    else:
        yield from (block.text for block in blocks(path) if block.language == "python")


def _imported(program: str) -> Iterator[tuple[str, str]]:
    for node in ast.walk(ast.parse(program)):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "weft":
            yield from ((node.module, alias.name) for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names if alias.name.split(".")[0] == "weft")


@pytest.mark.parametrize("path", SHOWN, ids=page_name)
def test_what_is_shown_to_users_imports_public_paths_only(path: Path) -> None:
    wrong = [
        f"{module}.{name}"
        for program in _programs(path)
        for module, name in _imported(program)
        if module not in PUBLIC or name.startswith("_")
    ]
    assert wrong == []


@pytest.mark.parametrize("path", SHOWN, ids=page_name)
def test_pages_name_public_modules_only(path: Path) -> None:
    if path.suffix == ".py":
        return
    named = re.findall(r"`(weft(?:\.\w+)+)", path.read_text(encoding="utf-8"))
    wrong = []
    for name in named:
        parts = name.split(".")
        known = max((n for n in range(1, len(parts) + 1) if ".".join(parts[:n]) in PUBLIC), default=0)
        # A public module, or a name in one.
        if len(parts) - known > 2 or any(part.startswith("_") for part in parts):
            wrong.append(name)
    assert wrong == []


def test_the_pages_of_the_reference_name_what_is_public() -> None:
    pages = {page.name: page.read_text(encoding="utf-8") for page in REFERENCE.iterdir()}
    assert pages == render(PUBLIC), "see tests/support/reference.py"


def _run(program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=30
    )
    assert done.stderr == ""
    return done.stdout.strip()


def test_the_everyday_names_come_from_weft_itself() -> None:
    program = """
from weft import AutomergeDocument, AutomergeMirror, AutomergeWebsocketProvider, Checkpoints, Store
from weft import YWebsocketProvider, YjsMirror, create_doc
import weft
assert {"YjsMirror", "create_doc", "mirrors", "persisters"} <= set(dir(weft))
assert weft.mirrors.YjsMirror is weft.mirrors.yjs.YjsMirror is YjsMirror
assert weft.persisters.sqlite.SqliteJsonPersister is weft.persisters.SqliteJsonPersister
assert weft.protocols.ysync.YSyncSession
"""
    assert _run(program) == ""


@pytest.mark.parametrize(
    ("name", "package", "extra"),
    [
        ("weft.YjsMirror", "pycrdt", "yjs"),
        ("weft.mirrors.YjsMirror", "pycrdt", "yjs"),
        ("weft.mirrors.yjs.YjsMirror", "pycrdt", "yjs"),
        ("weft.create_doc", "pycrdt", "yjs"),
        ("weft.documents.YDocument", "pycrdt", "yjs"),
        ("weft.providers.YWebsocketProvider", "pycrdt", "yjs"),
        ("weft.YWebsocketProvider", "websockets", "yjs"),
        ("weft.AutomergeMirror", "automerge", "automerge"),
        ("weft.mirrors.automerge.AutomergeMirror", "automerge", "automerge"),
        ("weft.documents.AutomergeDocument", "automerge", "automerge"),
        ("weft.AutomergeWebsocketProvider", "cbor2", "automerge"),
        ("weft.protocols.automerge_repo.RepoSession", "cbor2", "automerge"),
        ("weft.server.Server", "websockets", "server"),
        ("weft.persisters.YjsPersister", "pycrdt", "yjs"),
        ("weft.persisters.LmdbPersister", "lmdb", "lmdb"),
        ("weft.persisters.AsyncpgDriver", "asyncpg", "postgres"),
        ("weft.persisters.postgres.PsycopgDriver", "psycopg", "psycopg"),
        ("weft.persisters.sqlite.ApswDriver", "apsw", "apsw"),
        ("weft.notebook.live", "anywidget", "notebook"),
        ("weft.testing.SimNet", "pycrdt", "yjs"),
    ],
)
def test_a_missing_package_is_named_with_the_extra_that_brings_it(
    name: str, package: str, extra: str
) -> None:
    module, _, thing = name.rpartition(".")
    program = f"""
import importlib, sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == {package!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Missing())
module = importlib.import_module({module!r})
try:
    module.{thing}
except ImportError as error:
    print(error)
"""
    # A name that weft itself has on demand is asked for at the place that has it.
    home = "|".join(re.escape(part) for part in (name, f"{_package_of(name)}.{thing}"))
    assert re.fullmatch(
        rf"({home}) needs the package '{package}[\w.]*': pip install 'weft\[{extra}\]'", _run(program)
    )


def _package_of(name: str) -> str:
    return {
        "weft.YjsMirror": "weft.mirrors",
        "weft.AutomergeMirror": "weft.mirrors",
        "weft.create_doc": "weft.documents",
        "weft.YWebsocketProvider": "weft.providers",
        "weft.AutomergeWebsocketProvider": "weft.providers",
    }.get(name, name.rpartition(".")[0])


@pytest.mark.parametrize("module", ["weft", "weft.mirrors", "weft.persisters"])
def test_what_is_not_there_is_no_attribute(module: str) -> None:
    program = f"import {module}\ntry: {module}.YsjMirror\nexcept AttributeError as error: print(error)"
    assert _run(program) == f"module '{module}' has no attribute 'YsjMirror'"


def test_each_face_gives_type_checkers_the_names_that_it_exports() -> None:
    found = 0
    for path in sorted((ROOT / "src" / "weft").rglob("__init__.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for block in tree.body:
            if not (isinstance(block, ast.If) and block.orelse):
                continue
            found += 1
            for_checkers = {
                alias.asname
                for node in block.body
                if isinstance(node, ast.ImportFrom)
                for alias in node.names
            }
            call = next(node for node in ast.walk(block.orelse[0]) if isinstance(node, ast.Call))
            homes: dict[str, str] = ast.literal_eval(call.args[1])
            exported = {name for home, names in homes.items() for name in names.split() or [home]}
            assert for_checkers == exported, path
    assert found > 10
