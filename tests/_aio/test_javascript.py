from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from weft._aio.javascript import javascript
from weft.persisters import IndexedDbPersister, LocalPersister, OpfsPersister, SessionPersister
from weft.store import Store

if TYPE_CHECKING:
    from support.browser import PythonPage


def test_outside_a_browser_one_is_told_so() -> None:
    with pytest.raises(RuntimeError, match="The thing runs in a browser, under Pyodide"):
        javascript("The thing")
    for persister in (IndexedDbPersister, LocalPersister, OpfsPersister, SessionPersister):
        with pytest.raises(RuntimeError, match=f"{persister.__name__} runs in a browser"):
            persister(Store(), "name")


@pytest.mark.interop
@pytest.mark.timeout(240)
def test_a_lock_is_held_by_one_at_a_time(python_page: PythonPage) -> None:
    source = """
import asyncio
from weft._aio.javascript import javascript
bridge, order = javascript("the test"), []
async def hold(name):
    async with bridge.lock("lock"):
        order.append(name)
        await asyncio.sleep(0)
        order.append(name)
async with bridge.lock("lock"):
    waiting = [asyncio.create_task(hold(name)) for name in "abc"]
    await asyncio.sleep(0.01)
    waiting[1].cancel()  # gives up its place
    before = list(order)
done = await asyncio.gather(*waiting, return_exceptions=True)
[before, order, [type(result).__name__ for result in done]]
"""
    assert python_page.python(source) == [
        [],
        ["a", "a", "c", "c"],
        ["NoneType", "CancelledError", "NoneType"],
    ]
