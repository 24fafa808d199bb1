"""The contract of the Store holds for a MergeableStore: the Store's own suites, run on one."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from weft.mergeable import MergeableStore

SUITES = Path(__file__).resolve().parents[1] / "store"
LEFT_OUT = {
    "test_decorators": "is about no more than the listeners",
    "test_listeners": "its mirror is one of the listeners that are counted and have ids",
    "test_notification": "as before",
    "test_state": "is about a Store with nobody to tell",
    "test_store": "is about copies, and a Store that is alone",
    "test_the_paths_are_the_ones_meant": "is about a Store with nobody to tell",
    "test_what_a_persister_loads_is_no_step": "merges what is loaded",
    "test_what_is_there_is_given": "asks whether it is mergeable",
    "test_rows_without_an_id_get_one_as_add_row_gives": "asks when ids cease to be counted",
}


class Store(MergeableStore):
    """Made as a Store is, and counting rows as one that is alone."""

    __slots__ = ()

    def __init__(self, **options: Any) -> None:
        super().__init__("contract", **{"row_ids": "counter", "on_error": lambda _: None, **options})


def _suite(path: Path) -> type[object]:
    """A suite as a class, in which ``Store`` is ours."""
    spec = importlib.util.spec_from_file_location(f"mergeable_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.__dict__["Store"] = Store
    members = {
        item: staticmethod(thing)
        for item, thing in vars(module).items()
        if item.startswith("test_") and item not in LEFT_OUT
    }
    members |= {
        item: _fixture(thing)
        for item, thing in vars(module).items()
        if isinstance(thing, type(_fixture_kind))
    }
    return type(path.stem, (), members)


@pytest.fixture
def _fixture_kind() -> None:
    """A fixture, for its type."""


def _fixture(thing: Any) -> Any:
    """A fixture of a module as one of a class."""
    options = thing._fixture_function_marker
    return pytest.fixture(params=options.params, ids=options.ids)(staticmethod(thing._fixture_function))


for path in [
    *sorted((SUITES / "_core").glob("test_*.py")),
    SUITES / "test_checkpoints.py",
    SUITES / "test_middleware.py",
]:
    if path.stem not in LEFT_OUT:
        globals()[f"Test{path.stem[5:].title()}"] = _suite(path)
