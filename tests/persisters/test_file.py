from __future__ import annotations

import asyncio
import codecs
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from weft.errors import StorageError
from weft.persisters import FilePersister
from weft.store import Store
from weft.testing.persisters import MORE, PETS, KillSuite, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weft.changes import Content
    from weft.persisters import Persister


class TestAWatchedFile(KillSuite):
    @pytest.fixture(autouse=True)
    def place(self, tmp_path: Path) -> None:
        self.path = tmp_path / "store.json"

    def make(self, store: Store, **options: Any) -> Persister:
        return FilePersister(store, self.path, poll_seconds=0.01, **options)

    async def read_raw(self) -> Content | None:
        return Store().set_json(self.path.read_text()).get_content() if self.path.exists() else None

    async def write_raw(self, content: Content) -> None:
        # As another program would: beside it, then over it.
        other = self.path.with_suffix(".other")
        other.write_text(Store().set_content(content).get_json())
        other.replace(self.path)

    async def write_bad(self) -> None:
        self.path.write_bytes(b'[{"pets":{"fido"')

    def child_source(self) -> str:
        return (
            "from weft.persisters import FilePersister\n"
            f"def make(store):\n    return FilePersister(store, {str(self.path)!r})\n"
        )

    async def test_a_save_leaves_no_other_file_behind(self) -> None:
        await self.fill_place()
        assert [path.name for path in self.path.parent.iterdir()] == [self.path.name]


class TestAPolledFile(TestAWatchedFile):
    kills = 10

    @pytest.fixture(autouse=True)
    def no_watchfiles(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "watchfiles", None)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.json"


async def save(path: Path, content: Content) -> None:
    async with FilePersister(Store().set_content(content), path) as persister:
        await persister.save()


async def test_the_bytes_are_those_of_tinybase(path: Path) -> None:
    content: Content = (
        {"t": {"2": {"n": 1e21}, "10": {}, "r": {"o": [1, {"é": None}], "s": "犬\n"}}},
        {"v": True},
    )
    content[0]["t"].pop("10")
    await save(path, content)
    expected = '[{"t":{"2":{"n":1e+21},"r":{"o":"\ufffd[1,{\\"é\\":null}]","s":"犬\\n"}}},{"v":true}]'
    assert path.read_bytes() == expected.encode()


async def test_the_mode_stays_and_symbolic_links_are_followed(path: Path) -> None:
    target = path.parent / "deep" / "target.json"
    target.parent.mkdir()
    target.write_text("[{},{}]")
    target.chmod(0o640)
    path.symlink_to(target)
    await save(path, PETS)
    assert path.is_symlink()
    assert json.loads(target.read_text())[1] == PETS[1]
    assert target.stat().st_mode & 0o777 == 0o640


async def test_a_dangling_link_makes_its_target(path: Path) -> None:
    path.symlink_to(path.parent / "target.json")
    await save(path, PETS)
    assert path.is_symlink()
    assert json.loads((path.parent / "target.json").read_text())[1] == PETS[1]


async def test_what_a_killed_writer_left_is_removed_by_the_next(path: Path) -> None:
    (path.parent / f".{path.name}.weft-0011223344556677.tmp").write_text("half")
    (path.parent / "store.json.0011.tmp").write_text("somebody else's")
    await save(path, PETS)
    assert sorted(entry.name for entry in path.parent.iterdir()) == ["store.json", "store.json.0011.tmp"]


async def test_the_path_is_made_absolute_at_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)
    persister = FilePersister(Store(), "store.json")
    monkeypatch.chdir("/")
    assert persister.get_file_path() == str(path)
    await persister.save()
    assert path.exists()
    await persister.destroy()


async def test_a_directory_that_is_not_there_is_an_error_that_names_the_file(path: Path) -> None:
    store = Store().set_content(PETS)
    (path.parent / "link").symlink_to(path.parent / "missing" / "store.json")
    for place in (path.parent / "missing" / "store.json", path.parent / "link"):
        async with FilePersister(store, place) as persister:
            with pytest.raises(StorageError, match=str(place)):
                await persister.save()
            # It is no empty place either, which initial content would be for.
            for verb in (persister.load, persister.start_auto_persisting):
                with pytest.raises(StorageError, match=str(place)):
                    await verb(MORE)
    assert store.get_content() == PETS


@pytest.mark.parametrize("watchfiles", [True, False])
async def test_auto_load_outlives_the_directory_and_hears_of_the_next(
    path: Path, watchfiles: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not watchfiles:
        monkeypatch.setitem(sys.modules, "watchfiles", None)
    folder, away = path.parent / "folder", path.parent / "away"
    folder.mkdir()
    await save(folder / "store.json", PETS)
    store, errors = Store(), list[Exception]()
    async with FilePersister(store, folder / "store.json", on_error=errors.append) as persister:
        persister.first_retry_seconds = 0.01
        await persister.start_auto_load()
        folder.rename(away)
        await until(lambda: bool(errors))
        assert store.get_content() == PETS
        folder.mkdir()
        await save(folder / "store.json", MORE)
        await until(lambda: store.get_content() == MORE)


async def test_the_system_tells_of_changes_before_anybody_looks(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("weft.persisters.file._LOOK_SECONDS", 3600.0)
    await save(path, PETS)
    store = Store()
    async with FilePersister(store, path) as persister:
        await persister.start_auto_load()
        for content in (MORE, PETS):
            await save(path, content)
            await until(lambda content=content: store.get_content() == content)  # type: ignore[misc]


async def test_a_path_that_is_a_directory_is_an_error(tmp_path: Path) -> None:
    async with FilePersister(Store().set_content(PETS), tmp_path) as persister:
        with pytest.raises(StorageError, match="directory"):
            await persister.load()
        with pytest.raises(StorageError):
            await persister.save()
    assert list(tmp_path.iterdir()) == []


async def test_foreign_cells_that_are_no_cells_are_left_out_and_stay_in_the_file(path: Path) -> None:
    path.write_text(
        '[{"t":{"r":{"bad":"\ufffdnot json","gone":"\ufffc",'
        '"lone":"\\ud800","big":12345678901234567890,"good":1},'
        '"no row":5},"no table":[]},{"v":"x"}]'
    )
    store, errors = Store(), list[Exception]()
    async with FilePersister(store, path, on_error=errors.append) as persister:
        await persister.start_auto_persisting()
        assert store.get_content() == ({"t": {"r": {"big": 12345678901234567000.0, "good": 1}}}, {"v": "x"})
        assert errors
        store.set_cell("t", "r", "good", 2)
    text = path.read_text()
    assert '"good":2' in text
    assert '"bad":"\ufffdnot json"' in text
    assert '"lone":"\\ud800"' in text
    assert '"no table":[]' in text


async def test_a_deleted_file_is_written_anew_by_the_next_edit(path: Path) -> None:
    store = Store()
    async with FilePersister(store, path) as persister:
        await persister.start_auto_persisting(MORE)
        path.unlink()
        store.set_cell("pets", "fido", "price", 6)
    tables = json.loads(path.read_text())[0]
    assert tables["pets"]["felix"] == MORE[0]["pets"]["felix"]
    assert tables["pets"]["fido"]["price"] == 6


async def test_two_edits_at_once_by_two_persisters_are_both_kept(path: Path) -> None:
    await save(path, PETS)
    one, two = Store(), Store()
    async with FilePersister(one, path) as first, FilePersister(two, path) as second:
        await first.load()
        await second.load()
        await first.start_auto_save()
        await second.start_auto_save()  # neither watches: only the version tells that the other wrote
        for number in range(10):
            one.set_cell("pets", "one", str(number), number)
            two.set_cell("pets", "two", str(number), number)
            await asyncio.sleep(0)
    tables = json.loads(path.read_text())[0]
    assert {row_id: len(row) for row_id, row in tables["pets"].items()} == {"fido": 2, "one": 10, "two": 10}


async def test_a_full_disk_is_an_error_keeps_the_old_file_and_is_got_over(path: Path) -> None:
    await save(path, PETS)
    store, errors = Store(), list[Exception]()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    was = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        async with FilePersister(store, path, on_error=errors.append) as persister:
            persister.first_retry_seconds = 0.01
            await persister.start_auto_persisting()
            before = path.read_bytes()
            resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
            store.set_value("long", "x" * 10_000)
            await until(lambda: len(errors) > 1)
            with pytest.raises(StorageError, match=r"store\.json: File too large"):
                await persister.save()
            assert path.read_bytes() == before
            assert os.listdir(path.parent) == ["store.json"]  # noqa: PTH208
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            await until(persister.is_at_rest)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, was)
    assert json.loads(path.read_text())[1]["long"] == "x" * 10_000


async def test_a_byte_order_mark_is_passed_over(path: Path) -> None:
    path.write_bytes(
        codecs.BOM_UTF8 + b'[{"pets":{"fido":{"species":"dog"}}},{}]'
    )  # as an editor on Windows does
    store = Store()
    async with FilePersister(store, path) as persister:
        await persister.load()
        assert store.get_tables() == {"pets": {"fido": {"species": "dog"}}}
        await persister.save()
    assert path.read_bytes() == b'[{"pets":{"fido":{"species":"dog"}}},{}]'


@pytest.mark.parametrize("data", [b"[{}", b"{}", b"\xff\xfe[\0", b'[[{},""],[{},""]]'])
async def test_errors_about_what_is_in_the_file_name_it(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    errors: list[Exception] = []
    async with FilePersister(Store(), path, on_error=errors.append) as persister:
        with pytest.raises(StorageError, match=f"^{re.escape(str(path))}: what is stored is "):
            await persister.load()
        persister.get_store().set_value("open", True)
        with pytest.raises(StorageError, match=f"^{re.escape(str(path))}: what is stored is "):
            await persister.start_auto_save()
    assert path.read_bytes() == data


@pytest.fixture(params=["directory", "mount"])
def irreplaceable(request: pytest.FixtureRequest) -> Iterator[Path]:
    """A file in a directory that may not be written; one that is a mount point, where this may be done."""
    folder = Path(tempfile.mkdtemp())
    path = folder / "store.json"
    path.write_text('[{"pets":{"fido":{"species":"dog"}}},{}]')
    root = os.geteuid() == 0
    if request.param == "mount":
        (folder / "source").write_text(path.read_text())
        command = ["mount", "--bind", str(folder / "source"), str(path)]
        if not root or subprocess.run(command, check=False, capture_output=True).returncode:
            request.param = "directory"  # the kind that can be made everywhere, once more
    if request.param == "directory":
        path.chmod(0o666)
        folder.chmod(0o555)
        if root:
            os.seteuid(65534)  # whom nothing is permitted that the modes do not say
    try:
        yield path
    finally:
        if root:
            os.seteuid(0)
        if request.param == "mount":
            subprocess.run(["umount", str(path)], check=True)
        folder.chmod(0o755)
        shutil.rmtree(folder)


async def test_what_cannot_be_replaced_is_said_and_written_in_place_where_asked(irreplaceable: Path) -> None:
    path = irreplaceable
    store = Store()
    async with FilePersister(store, path) as persister:
        await persister.load()
        before = path.read_bytes()
        store.set_cell("pets", "fido", "price", 5)
        with pytest.raises(StorageError) as caught:
            await persister.save()
        assert str(caught.value).startswith(f"{path}: no other file can take its place ({path.parent}")
        assert "FilePersister(..., atomic=False) writes it in place" in str(caught.value)
        assert path.read_bytes() == before
    inode = path.stat().st_ino
    async with FilePersister(store, path, atomic=False) as persister:
        await persister.save()
        assert json.loads(path.read_text()) == [{"pets": {"fido": {"species": "dog", "price": 5}}}, {}]
        await persister.start_auto_persisting()
        path.write_text('[{"pets":{"fido":{"species":"dog","price":6}}},{}]')
        await until(lambda: store.get_cell("pets", "fido", "price") == 6)
        store.del_tables()
        store.set_value("v", 1)
    assert path.read_text() == '[{},{"v":1}]'
    assert path.stat().st_ino == inode


async def test_two_that_write_in_place_lose_nothing_of_each_other(path: Path) -> None:
    stores = [Store(), Store()]
    async with (
        FilePersister(stores[0], path, atomic=False, poll_seconds=0.01) as one,
        FilePersister(stores[1], path, atomic=False, poll_seconds=0.01) as two,
    ):
        for persister in (one, two):
            await persister.start_auto_persisting()
        for number in range(20):
            stores[number % 2].set_value(str(number), number)
            await asyncio.sleep(0)
        await until(lambda: all(len(store.get_values()) == 20 for store in stores))
    assert len(json.loads(path.read_text())[1]) == 20
