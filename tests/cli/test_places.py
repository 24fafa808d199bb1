"""Reading and writing a Store from a shell: rooms, replicas, files and databases, as users type them."""

from __future__ import annotations

import asyncio
import io
import json
import os
import pty
import select
import signal
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from typing import TYPE_CHECKING

import pytest

from support.ports import free_port
from support.serving import WeftServe
from weft import Replica, cli
from weft.cli.paths import StorePath, shown

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FIDO = {"species": "dog", "price": 5, "code": "007"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WeftServe]:
    with WeftServe(tmp_path_factory.mktemp("served") / "rooms.sqlite3") as server:
        yield server


@pytest.fixture(params=["room", "tinybase+room", "pets.json", "pets.weft", "tinybase.weft", "sqlite:pets.db"])
def place(request: pytest.FixtureRequest, server: WeftServe, tmp_path: Path) -> str:
    if request.param.endswith("room"):
        return f"{request.param.removesuffix('room')}{server.url}/{request.node.name}"
    if request.param == "tinybase.weft":
        asyncio.run(make_replica(tmp_path / request.param))
    scheme, _, file = request.param.rpartition(":")
    return f"{scheme}:{tmp_path / file}" if scheme else str(tmp_path / file)


async def make_replica(path: Path) -> None:
    async with Replica(path, kind="mergeable"):
        pass


def run(*arguments: str, stdin: str = "") -> tuple[int, str, str]:
    """Run a command as the shell would, in this process: starting one takes longer than all that it does."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        code = cli.main(arguments)
    return code, out.getvalue(), err.getvalue()


def done(*arguments: str, stdin: str = "") -> str:
    """What a command prints that does its work and says nothing else."""
    code, out, err = run(*arguments, stdin=stdin)
    assert (code, err) == (0, ""), err
    return out


def failed(*arguments: str, code: int = 1) -> str:
    """The one line that a command ends with."""
    ended, out, err = run(*arguments)
    assert (ended, out) == (code, "")
    assert err.count("\n") == 1
    return err


def test_what_one_command_sets_the_next_gets(place: str) -> None:
    done("set", place, "pets/fido", json.dumps(FIDO))
    done("set", place, "@open", "true")
    done("set", place, "pets/fido/code", "8", "--text")
    assert done("get", place, "pets/fido/code") == "8\n"
    assert done("get", place, "pets/fido/code", "--json") == '"8"\n'
    assert json.loads(done("get", place)) == {"pets": {"fido": {**FIDO, "code": "8"}}}
    assert json.loads(done("get", place, "@")) == {"open": True}
    done("del", place, "pets/fido/code")
    assert failed("get", place, "pets/fido/code") == "weft get: there is no pets/fido/code\n"
    assert failed("del", place, "pets/felix") == "weft del: there is no pets/felix\n"


def test_a_file_is_imported_and_exported_in_every_form(server: WeftServe, tmp_path: Path) -> None:
    room = f"{server.url}/imported"
    source = tmp_path / "pets.csv"
    source.write_text("name,species,price,code\nfido,dog,5,007\nfelix,cat,,008\n", encoding="utf-8-sig")
    assert done("import", room, "pets", str(source), "--id", "name").startswith("2 rows added, 0 changed")
    expected = {"fido": FIDO, "felix": {"species": "cat", "code": "008"}}
    assert json.loads(done("get", room, "pets")) == expected
    for kind in ("csv", "tsv", "nl", "json", "parquet"):
        file = tmp_path / f"out.{kind}"
        done("export", room, "pets", str(file), "--id", "name")
        done("import", f"{tmp_path / kind}.json", "pets", str(file), "--id", "name")
        assert json.loads(done("get", f"{tmp_path / kind}.json", "pets")) == expected, kind
    assert json.loads(done("export", room, "pets"))[0].keys() >= {"id", "species", "code"}
    table = done("export", room, "pets", "-t")
    assert "felix" in table
    assert "│" in table
    lines = done("export", room, "pets", "--nl")
    assert done("import", room, "copy", "-", "--nl", "--id", "id", stdin=lines).startswith("2 rows added")
    assert "is there already" in failed("export", room, "pets", str(source))
    assert "there is no table 'nope'" in failed("export", room, "nope")


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("a.csv", "name,price\nfido\n", "record 2 has not as many columns as the first line"),
        ("a.json", '{"a": 1}', "it is no JSON list of objects"),
        ("a.nl", '{"a": 1}\n{', "Expecting property name"),
        ("a.csv", "price\n5\n", "record 0 has no 'name', only 'price'"),
        ("a.parquet", "no such thing", "Parquet"),
    ],
)
def test_of_a_bad_file_nothing_is_loaded(name: str, text: str, says: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    target = tmp_path / "pets.json"
    line = failed("import", str(target), "pets", str(tmp_path / name), "--id", "name")
    assert says in line
    assert line.startswith("weft import: ")
    assert not target.exists() or json.loads(target.read_text()) == [{}, {}]


def test_places_are_brought_to_one_another_and_compared(server: WeftServe, tmp_path: Path) -> None:
    room, file = f"{server.url}/brought", str(tmp_path / "farm.json")
    done("set", room, "", json.dumps({"pets": {"fido": FIDO}}))
    assert done("pull", room, file, "--dry-run") == "3 cells and values would be set, 0 would be deleted.\n"
    assert json.loads(done("pull", room, file, "--json")) == {"set": 3, "deleted": 0}
    assert done("diff", room, file) == ""
    done("set", file, "pets/fido/price", "6")
    done("del", room, "pets/fido/code")
    code, out, _ = run("diff", room, file)
    assert code == 1
    assert set(out.splitlines()) == {"~ pets/fido/price: 5 -> 6", '+ pets/fido/code: "007"'}
    line = json.loads(run("diff", room, file, "--json")[1].splitlines()[1])
    assert line == {"table": "pets", "row": "fido", "cell": "price", "old": 5, "new": 6}
    assert failed("diff", room, str(tmp_path / "nope.json"), code=2).startswith("weft diff: ")
    done("del", file, "pets/fido/species")
    assert done("push", file, room) == "2 cells and values set, 0 deleted.\n"
    assert json.loads(done("get", room, "pets/fido")) == {**FIDO, "price": 6}
    assert done("push", file, room, "--delete") == "0 cells and values set, 1 deleted.\n"


def test_changes_are_lines_in_a_pipe_that_may_be_closed(server: WeftServe) -> None:
    room = f"{server.url}/other"
    done("set", room, "pets/fido/price", "4")
    assert done("watch", room, "--layout", "--once") == "pets/fido/price: 4\n"
    room = f"{server.url}/watched"
    done("set", room, "pets/fido/price", "5")
    assert done("watch", room, "--once") == "pets/fido/price: 5\n"
    with subprocess.Popen(
        [sys.executable, "-m", "weft", "watch", room, "--json"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as watching:  # fmt: skip
        assert watching.stdout is not None
        first = json.loads(watching.stdout.readline())
        assert first == {"table": "pets", "row": "fido", "cell": "price", "new": 5}
        done("set", room, "pets/fido/price", "6")
        assert json.loads(watching.stdout.readline()) == {**first, "old": 5, "new": 6}
        done("del", room, "pets/fido/price")
        assert json.loads(watching.stdout.readline()) == {
            "table": "pets", "row": "fido", "cell": "price", "old": 6,
        }  # fmt: skip
        watching.stdout.close()
        done("set", room, "pets/fido/price", "7")
        assert watching.wait(timeout=50) == 0
        assert watching.stderr is not None
        assert watching.stderr.read() == ""


def test_in_a_terminal_a_table_stands_there_as_it_is(server: WeftServe) -> None:
    room = f"{server.url}/seen"
    done("set", room, "pets/fido", json.dumps(FIDO))
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "weft", "watch", room],
        stdin=theirs, stdout=theirs, stderr=subprocess.PIPE, env={**os.environ, "TERM": "xterm"},
    ) as watching:  # fmt: skip
        os.close(theirs)
        _read_until(b"fido", ours)
        done("set", room, "pets/felix/species", "cat")
        _read_until(b"felix", ours)
        watching.send_signal(signal.SIGINT)
        assert watching.wait(timeout=50) == 130
        assert watching.stderr is not None
        assert not watching.stderr.read().strip()
    os.close(ours)


def _read_until(awaited: bytes, terminal: int) -> None:
    seen = b""
    while awaited not in seen:
        assert select.select([terminal], [], [], 50)[0], seen
        seen += os.read(terminal, 65536)


def test_what_cannot_be_reached_is_said_in_one_line(server: WeftServe, tmp_path: Path) -> None:
    closed = f"ws://127.0.0.1:{free_port()}/farm"
    assert failed("get", closed) == f"weft get: cannot connect to {closed}: connection refused\n"
    missing = tmp_path / "nope.json"
    assert failed("get", str(missing)) == f"weft get: {missing}: there is no such file\n"
    assert not missing.exists()
    assert "ftp://" in failed("set", "ftp://a/b", "@a", "1", code=2)
    assert "is too deep" in failed("set", f"{server.url}/x", "a/b/c/d", "1", code=2)
    assert "takes a JSON object" in failed("set", f"{server.url}/x", "pets", "1", code=2)
    assert failed("set", str(tmp_path / "a.json"), "pets/fido/a", "1e999").startswith("weft set: ")


def test_who_shows_no_token_is_not_let_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with WeftServe(tmp_path / "rooms.sqlite3", "--token", "7f3a", "--token", "other") as server:
        room = f"{server.url}/farm"
        done("set", room, "@open", "true", "--token", "7f3a")
        monkeypatch.setenv("WEFT_TOKEN", "other")
        assert done("get", room, "@open") == "true\n"
        monkeypatch.delenv("WEFT_TOKEN")
        for given in ([], ["--token", "7f3"]):
            assert "4401" in failed("get", room, *given)


@pytest.mark.parametrize("ids", [("a",), ("a", "b c"), ("a/b", "%", "ü@"), ("", "x")])
def test_ids_are_shown_as_they_are_read(ids: tuple[str, ...]) -> None:
    if "" not in ids:
        assert StorePath.parse(shown(*ids)) == (False, ids)
    assert StorePath.parse(shown("a/b", is_value=True)) == (True, ("a/b",))


def test_shells_are_told_what_they_can_complete() -> None:
    for shell in ("bash", "zsh", "fish"):
        assert "_WEFT_COMPLETE" in done("completion", shell)
