"""Steps of writing in place are made to fail, and the old content is put back; mounts are in test_file.py."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any

import pytest

from weft.persisters._text.atomic_file import file_version
from weft.persisters._text.in_place import overwrite_file, read_locked

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> str:
    path = tmp_path / "file"
    path.write_bytes(b"old and long")
    return str(path)


def test_a_file_is_written_where_it_stands(path: str) -> None:
    inode = os.stat(path).st_ino  # noqa: PTH116
    version = overwrite_file(path, b"new", lambda version: version == file_version(path))
    assert read_locked(path) == (b"new", version)
    assert os.stat(path).st_ino == inode  # noqa: PTH116
    assert file_version(path) == version


def test_versions_differ_even_within_one_tick_of_the_clock(path: str) -> None:
    versions = {overwrite_file(path, b"same", lambda version: True) for _ in range(50)}
    assert len(versions) == 50


def test_without_agreement_nothing_is_written(path: str, tmp_path: Path) -> None:
    assert overwrite_file(path, b"new", lambda version: version is None) is None
    assert read_locked(path)[0] == b"old and long"
    missing = str(tmp_path / "missing")
    assert overwrite_file(missing, b"new", lambda version: version is not None) is None
    assert read_locked(missing) == (None, None)


def test_a_file_that_is_not_there_is_made_but_no_directory(tmp_path: Path) -> None:
    path = str(tmp_path / "file")
    version = overwrite_file(path, b"new", lambda version: version is None)
    assert read_locked(path) == (b"new", version)
    with pytest.raises(FileNotFoundError):
        overwrite_file(str(tmp_path / "missing" / "file"), b"new", lambda version: True)
    with pytest.raises(FileNotFoundError):
        read_locked(str(tmp_path / "missing" / "file"))


@pytest.mark.parametrize("name", ["write", "ftruncate", "fsync"])
def test_what_goes_wrong_is_undone(path: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    call, calls = getattr(os, name), list[int]()

    def fail_once(handle: int, *args: Any) -> Any:
        calls.append(handle)
        if len(calls) == (2 if name == "write" else 1):
            raise OSError(errno.ENOSPC, "made to fail")
        return call(handle, args[0][:2]) if name == "write" else call(handle, *args)  # a short write

    with monkeypatch.context() as patch:
        patch.setattr(os, name, fail_once)
        with pytest.raises(OSError, match="made to fail"):
            overwrite_file(path, b"new", lambda version: True)
    assert read_locked(path)[0] == b"old and long"
