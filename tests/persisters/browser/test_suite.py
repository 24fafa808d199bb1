"""The persister suite, run in a page on each place that a browser has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from support.browser import PythonPage


@pytest.mark.interop
@pytest.mark.timeout(240)
def test_the_places_of_a_browser_pass_the_suite(python_page: PythonPage) -> None:
    done = python_page.pytest("/tests/persisters/browser/page_suite.py")
    assert done["passed"] > 250
    assert python_page.errors() == []
