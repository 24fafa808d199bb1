"""Runs Python for the tests, inside a page: what interop/page.mjs calls, and no test imports.

Its tests run by pytest in the page as everywhere, but that their coroutines run on the page's event loop.
"""

from __future__ import annotations

import inspect
import io
import json
import sys
from contextlib import redirect_stderr, redirect_stdout
from types import ModuleType
from typing import Any

import pytest
from pyodide.code import eval_code_async  # type: ignore[import-not-found]
from pyodide.ffi import run_sync  # type: ignore[import-not-found]


class _Anything(type):
    """A class that is whatever the tests make of a name, when they are imported."""

    def __getattr__(cls, name: str) -> Any:
        return cls

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        return cls

    __or__ = __call__


def _given(*args: Any, **kwargs: Any) -> pytest.MarkDecorator:
    return pytest.mark.skip("hypothesis has no build for the browser")


def leave_out_hypothesis() -> None:
    """Have the tests that hypothesis runs skipped, and the others of their files run."""
    for name in ("hypothesis", "hypothesis.strategies", "hypothesis.stateful"):
        sys.modules[name] = module = ModuleType(name)
        module.__getattr__ = lambda name: _Anything(name, (), {})  # type: ignore[method-assign]
    sys.modules["hypothesis"].given = _given  # type: ignore[attr-defined]


_names: dict[str, Any] = {"__name__": "page"}


async def run(source: str, args: str) -> str:
    """Run statements with names for them; gives JSON text of what the last is."""
    _names.update(json.loads(args))
    return json.dumps(await eval_code_async(source, _names))


class _OnThePageLoop:
    """Runs coroutine tests by waiting for them on the loop that the page has."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> bool | None:
        if not inspect.iscoroutinefunction(pyfuncitem.obj):
            return None
        names = pyfuncitem._fixtureinfo.argnames
        run_sync(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names}))
        return True


class _Outcomes:
    def __init__(self) -> None:
        self.counts: dict[str, int] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or report.outcome != "passed":
            self.counts[report.outcome] = self.counts.get(report.outcome, 0) + 1


def run_pytest(*args: str) -> dict[str, Any]:
    """Run pytest; gives how many passed, failed and were skipped, and what it said."""
    if "/tests" not in sys.path:
        sys.path.insert(0, "/tests")
    outcomes, said = _Outcomes(), io.StringIO()
    options = [
        "-p",
        "no:cacheprovider",
        "--rootdir=/tests",
        "--import-mode=importlib",
        "-q",
        "-rfE",
        "--tb=short",
        "-W",
        "error",
    ]
    with redirect_stdout(said), redirect_stderr(said):
        code = pytest.main([*options, *args], plugins=[_OnThePageLoop(), outcomes])
    return {"code": int(code), **outcomes.counts, "said": said.getvalue()}
