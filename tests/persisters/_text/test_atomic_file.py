"""Each step of replacing a file is made to fail, and the old content is there; kill -9 is in test_file.py."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING, Any

import pytest

from weft.persisters._text import atomic_file as _atomic
from weft.persisters._text.atomic_file import file_version, read_file, replace_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> str:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    return str(path)


class Calls:
    """The system calls of a replacement in order; one of them may fail."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, failing: int | None = None) -> None:
        self.names: list[str] = []
        for name in ("open", "write", "fsync", "fstat", "close", "replace", "fchmod"):
            monkeypatch.setattr(os, name, self._spy(name, getattr(os, name), failing))

    def _spy(self, name: str, call: Callable[..., Any], failing: int | None) -> Callable[..., Any]:
        def spy(*args: Any) -> Any:
            self.names.append(name)
            if failing == len(self.names) - 1:
                if name == "close":
                    call(*args)
                raise OSError(errno.EIO, "made to fail", name)
            if name == "write":
                return call(args[0], args[1][:2])  # a short write
            return call(*args)

        return spy


def test_the_order_is_write_flush_rename_flush_of_the_directory(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        calls = Calls(patch)
        version = replace_file(path, b"newer", lambda version: True)
    steps = [name for name in calls.names if name not in {"open", "close", "fstat", "fchmod"}]
    assert steps == ["write", "write", "write", "fsync", "replace", "fsync"]
    assert read_file(path) == (b"newer", version)
    assert file_version(path) == version


@pytest.mark.parametrize("failing", range(10))
def test_whatever_fails_the_old_or_the_new_is_there_and_nothing_beside_it(
    path: str, failing: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    handles = len(os.listdir("/dev/fd"))  # noqa: PTH208
    with monkeypatch.context() as patch:
        calls = Calls(patch, failing)
        with pytest.raises(OSError, match="made to fail"):
            replace_file(path, b"new", lambda version: True)
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]
    assert read_file(path)[0] == (b"old" if "replace" not in calls.names[:failing] else b"new")
    assert len(os.listdir("/dev/fd")) == handles  # noqa: PTH208


def test_without_agreement_nothing_is_written(path: str, tmp_path: Path) -> None:
    asked = list[object]()

    def refuse(version: object) -> bool:
        asked.append(version)
        return False

    assert replace_file(path, b"new", refuse) is None
    assert asked == [file_version(path)]
    assert read_file(path)[0] == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_a_file_that_is_not_there_has_no_version_and_is_made(tmp_path: Path) -> None:
    path = str(tmp_path / "new")
    assert read_file(path) == (None, None)
    assert file_version(path) is None
    assert replace_file(path, b"", lambda version: version is None) is not None
    assert read_file(path)[0] == b""


def test_every_replacement_is_another_version_and_keeps_the_mode(path: str) -> None:
    os.chmod(path, 0o600)  # noqa: PTH101
    versions = {replace_file(path, b"same", lambda version: True) for _ in range(5)}
    assert len(versions) == 5
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600  # noqa: PTH116


def test_without_locks_it_works_and_sweeps_nothing(
    path: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As on Windows: there, what looks left behind may be another writer's."""
    monkeypatch.setattr(_atomic, "_locking", None)
    (tmp_path / ".file.weft-00.tmp").write_bytes(b"another writer's")
    replace_file(path, b"new", lambda version: True)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [".file.weft-00.tmp", "file"]
