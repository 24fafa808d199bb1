from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from weft._support.files import FileIdentity

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_that_is_written_in_place_is_the_same(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    assert FileIdentity.of(path) is None
    path.write_text("one")
    identity = FileIdentity.of(path)
    assert identity is not None
    path.write_text("other, and longer")
    assert identity.loss() is None
    assert FileIdentity.of(path) == identity


def test_a_file_that_was_removed_or_replaced_is_lost(tmp_path: Path) -> None:
    path, other = tmp_path / "shop.db", tmp_path / "other.db"
    path.write_text("one")
    with path.open():  # as long as it is open its inode is not given to another
        identity = FileIdentity.of(path)
        assert identity is not None
        path.unlink()
        assert identity.loss() == "was removed while it was open"
        path.write_text("one")
        assert identity.loss() == "was replaced by another file while it was open"
    path.rename(other)
    path.symlink_to(other)
    behind_link = FileIdentity.of(path)
    assert behind_link is not None
    assert behind_link.loss() is None
    path.unlink()
    assert behind_link.loss() == "was removed while it was open"


def test_the_path_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shop.db").write_text("one")
    identity = FileIdentity.of("shop.db")
    assert identity is not None
    monkeypatch.chdir("/")
    assert identity.loss() is None


def test_what_stands_in_the_way_of_looking_is_said(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "shop.db"
    path.parent.mkdir()
    path.write_text("one")
    identity = FileIdentity.of(path)
    assert identity is not None
    path.unlink()
    path.symlink_to(path)
    loss = identity.loss()
    assert loss is not None
    assert loss.startswith("cannot be seen any more (")
    with pytest.raises(OSError, match="symbolic links"):
        FileIdentity.of(path)
