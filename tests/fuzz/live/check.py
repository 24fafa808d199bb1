"""``python -m fuzz.live.check``: opens each room of a database as a program would, in a process of its own.

Reads a list of ``{"place": …, "kind": …, "rooms": […]}`` from its standard input, and prints what the
rooms of Yjs hold, in base64, for Yjs itself to judge.
"""

from __future__ import annotations

import asyncio
import base64
import faulthandler
import json
import sys
from typing import Any

from fuzz.live.cases import Expected
from weft.documents import UpdateLog
from weft.errors import UnreadableContentError
from weft.server import SqliteRoomStorage


def _check_yjs(expected: Expected, rows: list[bytes]) -> bytes:
    from pycrdt import Map

    from weft.documents.yjs import YDocument, create_doc

    log = UpdateLog()
    for row in rows:
        log.add(row, stored=True)
    state = log.state()
    for client, clock in expected.clocks.items():
        assert state.get(client, 0) >= clock, (
            f"{expected.name}: {clock} writes of {client} are not in {state}"
        )
    doc = create_doc()
    whole = log.diff()
    try:
        YDocument.of(doc).apply(whole, origin="storage")
    except UnreadableContentError as error:  # said, and nothing of it was given to the binding
        if expected.cells:
            raise AssertionError(str(error)) from None
        return whole
    cells = doc.get("honest", type=Map)
    lost = {key: value for key, value in expected.cells.items() if cells.get(key) != value}
    assert not lost, f"{expected.name}: lost {lost}"
    again = create_doc()
    again.apply_update(doc.get_update())
    return whole


def _check_automerge(expected: Expected, rows: list[bytes]) -> None:
    from support.repoclient import read
    from weft.mirrors import AutomergeDocument

    document = AutomergeDocument.from_rows(rows)
    assert AutomergeDocument(document.save()).heads == document.heads
    cells = read(document) if expected.cells else {}
    lost = {key: value for key, value in expected.cells.items() if cells.get(key) != value}
    assert not lost, f"{expected.name}: lost {lost}"


def _check_mergeable(expected: Expected, rows: list[bytes]) -> None:
    from weft.documents.mergeable import MergeableDocument
    from weft.documents.mergeable.log import from_rows, row_of
    from weft.mergeable import MergeableMirror
    from weft.store import Store

    document = from_rows(rows)
    assert from_rows([row_of(document)]).get_content_hashes() == document.get_content_hashes()
    again = MergeableDocument()
    again.set_content(document.get_content())
    assert again.content_text() == document.content_text()
    store = Store()
    with MergeableMirror(store, document):
        cells = store.get_row("honest", "honest")
    lost = {key: value for key, value in expected.cells.items() if cells.get(key) != value}
    assert not lost, f"{expected.name}: lost {lost}"


async def _check(databases: list[dict[str, Any]]) -> list[str]:
    contents = []
    for database in databases:
        async with SqliteRoomStorage(database["place"]) as storage:
            wanted = {each["name"]: Expected(**each) for each in database["rooms"]}
            names = {room.name for room in await storage.rooms()}
            assert wanted.keys() <= names, f"{wanted.keys() - names} are not there"
            for name in sorted(names):
                expected = wanted.get(name) or Expected(name, {}, {})
                expected.clocks = {int(client): clock for client, clock in expected.clocks.items()}
                rows = list((await storage.load(name)).rows)
                if name.startswith("\x1fmergeable:"):
                    _check_mergeable(expected, rows)
                elif name.startswith("\x1f"):
                    _check_automerge(expected, rows)
                else:
                    contents.append(base64.b64encode(_check_yjs(expected, rows)).decode())
    return contents


if __name__ == "__main__":
    faulthandler.enable()
    print(json.dumps(asyncio.run(_check(json.load(sys.stdin)))))
