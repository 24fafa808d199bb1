"""The Store's own tests, run in a page of a browser on Python 3.14 for WebAssembly."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from support.browser import PythonPage

FOLDER = Path(__file__).parent
# Files that need what there is no build of for a browser: data frames, pydantic, the Yjs and Automerge
# bindings of the peers in tests/support, and a second thread.
NEEDS_MORE = re.compile(
    r"^(from|import) (numpy|pandas|polars|pyarrow|pydantic|support)|YjsMirror", re.MULTILINE
)
# In a page an event loop always runs, and looks in its next turn whether a transaction was left open.
ALWAYS_IN_A_LOOP = "_core/test_store.py::test_a_store_is_freed_without_the_garbage_collector"


@pytest.mark.interop
@pytest.mark.timeout(240)
def test_the_store_keeps_its_contract_in_a_browser(python_page: PythonPage) -> None:
    left_out = {
        path.relative_to(FOLDER).as_posix()
        for path in FOLDER.rglob("test_*.py")
        if NEEDS_MORE.search(path.read_text(encoding="utf-8"))
    }
    assert left_out == {
        "_core/test_loads.py",
        "_core/test_undo_manager.py",
        "_parts/test_context_mark.py",
        "test_checkpoints.py",
        "test_converters.py",
        "test_frames.py",
        "test_in_browser.py",
        "test_records.py",
        "test_schematizers.py",
    }
    python_page.python("import page_runner\npage_runner.leave_out_hypothesis()")
    done = python_page.pytest(
        "/tests/store",
        *(f"--ignore=/tests/store/{name}" for name in left_out),
        f"--deselect=store/{ALWAYS_IN_A_LOOP}",
    )
    assert done["passed"] > 1000
