"""A page in Chromium that has weft under Pyodide and JavaScript's TinyBase in it."""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import zipfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from support.examples import serve_folder
from support.node import INTEROP, SyncJsPeer

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

__all__ = ["PythonPage", "bundle", "link_pyodide", "zip_weft"]

TESTS = Path(__file__).resolve().parents[1]
SRC = TESTS.parent / "src"
_LOAD_S = 120.0  # 5 s where nothing else runs

# What pytest and the tests import, of this machine's Python: all of it is written in Python.
_SITE = ("_pytest", "iniconfig", "packaging", "pluggy", "py", "pygments", "pytest")

# What runs of tests/ in the page, under /tests.
_TESTS = (
    "store/**/*.py",
    "mergeable/*.py",
    "documents/mergeable/*.py",
    "persisters/browser/*.py",
    "support/vectors.py",
    "vectors/tinybase_*.json",
)


def bundle(entry: Path, target: Path, *options: str) -> None:
    """Make one JavaScript file of a module and what it imports from interop/."""
    subprocess.run(
        [INTEROP / "node_modules/.bin/esbuild", entry, "--bundle", f"--outfile={target}", *options],
        cwd=INTEROP,
        env={**os.environ, "NODE_PATH": str(INTEROP / "node_modules")},
        capture_output=True,
        check=True,
    )


def link_pyodide(folder: Path) -> None:
    """Have a folder that is served give Pyodide's files as well."""
    (folder / "pyodide").symlink_to(INTEROP / "node_modules/pyodide")


def zip_weft(target: Path) -> None:
    """Pack weft as it is imported."""
    _zip(target, ((path, path.relative_to(SRC)) for path in (SRC / "weft").rglob("*.py")))


def _zip(target: Path, files: Iterable[tuple[Path, Path]]) -> None:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for path, name in files:
            archive.write(path, name.as_posix())


def _zip_site(target: Path) -> None:
    files = [(TESTS / "support/page_runner.py", Path("page_runner.py"))]
    for name in _SITE:
        found = Path(importlib.import_module(name).__file__ or "")
        folder = found.parent
        if found.name == "__init__.py":
            files += [(path, path.relative_to(folder.parent)) for path in folder.rglob("*.py")]
        else:
            files.append((found, Path(found.name)))
    _zip(target, files)


class PythonPage:
    """The page, with a browser of its own. Use as a context manager.

    Args:
        folder: Where the files of the page go; empty at first.
        chromium: Path of the browser.
    """

    def __init__(self, folder: Path, chromium: str) -> None:
        bundle(INTEROP / "page.mjs", folder / "page.js", "--format=esm", "--external:./pyodide/*")
        shutil.copy(INTEROP / "page_worker.mjs", folder)
        (folder / "index.html").write_text((INTEROP / "page.html").read_text())
        link_pyodide(folder)
        zip_weft(folder / "weft.zip")
        _zip_site(folder / "site.zip")
        tests = [path for part in _TESTS for path in TESTS.glob(part)]
        _zip(folder / "tests.zip", ((path, path.relative_to(TESTS)) for path in tests))
        self.folder = folder
        self._chromium = chromium
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self.url = stack.enter_context(serve_folder(self.folder))
            self.driver = stack.enter_context(SyncJsPeer())
            stack.callback(lambda: self.driver("page.closeAll"))
            self.open("main")
            self._stack = stack.pop_all()
        return self

    def open(self, name: str, *, beside: str | None = None, python: bool = True) -> None:
        """Open the page once more, with storage of its own or ``beside`` another one that shares it."""
        url = f"{self.url}/index.html{'' if python else '?js'}"
        self.driver("page.open", name=name, url=url, chromium=self._chromium, beside=beside)
        self.driver("page.evaluate", name=name, source="() => globalThis.loaded", timeout=_LOAD_S)

    def python(self, source: str, *, on: str = "main", timeout: float = 60.0, **args: Any) -> Any:
        """Run statements, with names for them that stay; gives what the last is, which JSON has to hold."""
        arg = {"source": source, "args": args}
        call = "({source, args}) => runPython(source, args)"
        return self.driver("page.evaluate", name=on, source=call, arg=arg, timeout=timeout)

    def pytest(self, *args: str) -> dict[str, int]:
        """Run tests that are in the page, under /tests; gives how many passed and were skipped.

        Raises:
            AssertionError: One failed.
        """
        source = "import page_runner\npage_runner.run_pytest(*args)"
        done: dict[str, Any] = self.python(source, args=args, timeout=170)
        assert done.pop("code") == 0, done["said"]
        del done["said"]
        return done

    def js(self, source: str, *, on: str = "main", timeout: float = 60.0, **args: Any) -> Any:
        """Run the body of an asynchronous JavaScript function, likewise."""
        arg = {"source": source, "args": args}
        call = "({source, args}) => runJs(source, args)"
        return self.driver("page.evaluate", name=on, source=call, arg=arg, timeout=timeout)

    def errors(self, *, on: str = "main") -> list[str]:
        """What nobody caught in the page."""
        errors: list[str] = self.driver("page.errors", name=on)
        return errors

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()
