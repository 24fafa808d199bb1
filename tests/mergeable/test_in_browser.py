"""The tests of mergeable Stores and documents, with TinyBase's vectors, run in a page of a browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from support.browser import PythonPage


@pytest.mark.interop
@pytest.mark.timeout(240)
def test_a_mergeable_store_keeps_its_contract_in_a_browser(python_page: PythonPage) -> None:
    python_page.python("import page_runner\npage_runner.leave_out_hypothesis()")
    left_out = ("test_contract.py", "test_in_browser.py")  # peers with Yjs documents, and this
    done = python_page.pytest(
        "/tests/mergeable",
        "/tests/documents/mergeable",
        *(f"--ignore=/tests/mergeable/{name}" for name in left_out),
        "-k=not thread",
    )
    assert done["passed"] > 150
