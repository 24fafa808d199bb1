"""An undo stack that is kept in a replica's file."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from threading import Thread, get_ident
from typing import TYPE_CHECKING, Any

import pytest

import weft.sync
from weft import UNDEFINED
from weft.errors import LocalProtocolError
from weft.mergeable import MergeableStore

if TYPE_CHECKING:
    from pathlib import Path

NOTES: Any = {"notes": {"body": {"type": "text"}, "tags": {"type": "array"}, "n": {"type": "number"}}}
ADDRESSES = ["ws://127.0.0.1:9/room", "automerge+ws://127.0.0.1:9"]


def connect(address: str, path: Path) -> Any:
    return weft.sync.connect(address, offline=path, connect=False, schema=NOTES)


@pytest.mark.parametrize("address", ADDRESSES)
def test_steps_are_undone_after_a_restart(address: str, tmp_path: Path) -> None:
    path = tmp_path / "notes.weft"
    with connect(address, path) as store:
        manager = store.undo_manager(persist=True, capture_timeout=0)
        store.set_row("notes", "1", {"body": "hello", "tags": ["a", {"b": 1}]})
        with manager.step("typing", {"cursor": 5}):
            store.text("notes", "1", "body").append(" you")
        store.del_row("notes", "1")
        store.set_value("v", 1)
        manager.undo()
    with connect(address, path) as store:
        manager = store.undo_manager(persist=True, capture_timeout=0)
        assert (len(manager.undo_stack), len(manager.redo_stack)) == (3, 1)
        assert manager.undo()
        assert store.get_row("notes", "1") == {"body": "hello you", "tags": ["a", {"b": 1}]}
        typing = manager.undo_stack[-1]
        assert (typing.label, typing.meta) == ("typing", {"cursor": 5})
        assert manager.undo()
        assert store.get_cell("notes", "1", "body") == "hello"
    with connect(address, path) as store:
        manager = store.undo_manager(persist=True, capture_timeout=0)
        assert manager.undo()
        assert store.get_tables() == {}
        assert [manager.redo() for _ in range(5)] == [True] * 4 + [False]
        assert store.get_content() == ({}, {"v": 1})


def test_each_name_is_a_stack_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "notes.weft"
    with connect(ADDRESSES[0], path) as store:
        store.undo_manager(persist="one", scope=["notes"])
        store.undo_manager(persist="two", scope=[], values=True)
        store.set_cell("notes", "1", "n", 1)
    with connect(ADDRESSES[0], path) as store:
        assert not store.undo_manager(persist="two").can_undo()
        assert store.undo_manager(persist="one").undo()
        assert store.get_tables() == {}


def test_without_a_file_nothing_can_be_kept() -> None:
    with (
        weft.sync.connect(ADDRESSES[0], connect=False) as store,
        pytest.raises(LocalProtocolError, match="offline="),
    ):
        store.undo_manager(persist=True)


def test_a_stack_that_is_older_than_the_content_takes_what_still_holds(tmp_path: Path) -> None:
    path = tmp_path / "notes.weft"
    with connect(ADDRESSES[0], path) as store:
        store.undo_manager(persist=True, capture_timeout=0)
        store.set_partial_row("notes", "1", {"n": 1, "body": "hello"})
        store.set_partial_row("notes", "2", {"n": 1, "body": "hello"})
    with connect(ADDRESSES[0], path) as store:  # as if the steps of this had not come to the disk
        store.set_partial_row("notes", "1", {"n": 2, "body": "hello you"})
    with connect(ADDRESSES[0], path) as store:
        manager = store.undo_manager(persist=True, capture_timeout=0)
        assert manager.undo()
        assert not manager.undo()
        assert store.get_tables() == {"notes": {"1": {"n": 2, "body": "hello you"}}}


def test_a_damaged_stack_is_begun_anew(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "notes.weft"
    with connect(ADDRESSES[0], path) as store:
        store.undo_manager(persist=True)
        store.set_cell("notes", "1", "n", 1)
    with sqlite3.connect(path) as db:
        db.execute("UPDATE beside SET data = x'00' WHERE name LIKE 'undo/%'")
    db.close()
    with connect(ADDRESSES[0], path) as store:
        manager = store.undo_manager(persist=True, capture_timeout=0)
        assert not manager.can_undo()
        assert "the undo stack 'undo' is damaged" in caplog.text
        store.set_cell("notes", "1", "n", 2)
        manager.undo()
        assert store.get_cell("notes", "1", "n") == 1


def test_what_is_kept_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "notes.weft"
    with connect(ADDRESSES[0], path) as store:
        store.undo_manager(persist=True, capture_timeout=0)
        for number in range(4):
            store.set_value("v", str(number) * 300_000)
    with connect(ADDRESSES[0], path) as store:
        manager = store.undo_manager(persist=True, capture_timeout=0)
        assert len(manager.undo_stack) == 1
        manager.undo()
        assert store.get_value("v") == "2" * 300_000


def test_any_thread_may_undo_and_none_within_a_transaction(tmp_path: Path) -> None:
    with weft.sync.connect(ADDRESSES[0], offline=tmp_path / "x.weft", connect=False, poll=True) as store:
        manager = store.undo_manager(capture_timeout=0)
        heard: list[tuple[str, int]] = []
        manager.add_listener(lambda _, event: heard.append((event.kind, get_ident())))
        threads = [Thread(target=store.set_value, args=(f"v{number}", 1)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert heard == []
        store.sync.poll()
        assert heard == [("added", get_ident())] * 4
        with store.transaction():
            store.set_value("w", 1)
            with pytest.raises(LocalProtocolError, match="inside a transaction"):
                manager.undo()
        undoing = Thread(target=manager.undo)
        undoing.start()
        undoing.join()
        assert store.get_values() == {f"v{number}": 1 for number in range(4)}
        manager.close()


def test_what_is_undone_in_a_mergeable_store_is_stamped_and_merges() -> None:
    one, two = MergeableStore("one"), MergeableStore("two")
    manager = one.undo_manager(capture_timeout=0)
    one.set_row("pets", "fido", {"age": 1, "name": "Fido"})
    two.merge(one)
    two.set_cell("pets", "fido", "name", "Fi")
    one.merge(two)
    manager.undo()
    two.merge(one)
    assert one.get_tables() == two.get_tables() == {"pets": {"fido": {"name": "Fi"}}}
    with one.transaction():
        one.set_value("v", 1)
        two.set_value("w", 1)
        one.merge(two)
    manager.undo()
    assert one.get_values() == {"w": 1}


KILLED = """
import os, signal, sys
import weft.sync
store = weft.sync.connect("ws://127.0.0.1:9/room", offline=sys.argv[1], connect=False, schema={
    "notes": {"body": {"type": "text"}, "n": {"type": "number"}}}).start()
manager = store.undo_manager(persist=True, capture_timeout=0)
text = store.text("notes", "1", "body")
for number in range(int(sys.argv[2])):
    if number % 5 == 4:
        manager.undo()
    else:
        with store.transaction():
            text.append(chr(97 + number % 26))
            store.set_cell("notes", "1", "n", number)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("edits", [1, 3, 7, 24])
def test_after_a_kill_the_stack_is_that_of_the_content(edits: int, tmp_path: Path) -> None:
    path = tmp_path / "notes.weft"
    done = subprocess.run([sys.executable, "-c", KILLED, str(path), str(edits)], check=False, timeout=60)
    assert done.returncode == -9
    expected: list[tuple[str, object]] = [("", UNDEFINED)]
    for number in range(edits):
        if number % 5 == 4:
            expected.pop()
        else:
            expected.append((expected[-1][0] + chr(97 + number % 26), number))
    with connect(ADDRESSES[0], path) as store:
        manager = store.undo_manager(persist=True, capture_timeout=0)

        def found() -> tuple[str, object]:
            row = store.get_row("notes", "1")
            return row.get("body", ""), row.get("n", UNDEFINED)

        at = expected.index(found())  # what was written last may not have come to the disk
        assert at >= len(expected) - 2
        for state in reversed(expected[:at]):
            assert manager.undo()
            assert found() == state
        assert not manager.undo()
