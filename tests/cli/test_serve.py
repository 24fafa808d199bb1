"""`weft serve`, run as its users run it."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from support.commands import first_lines, weft
from support.ports import free_port
from support.serving import WeftServe, complaints
from support.yclient import YClient
from weft.server import bridge_document_id

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_serve_says_where_it_listens_and_ends_in_good_order(tmp_path: Path, number: signal.Signals) -> None:
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "weft", "serve", "--port", "0"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    first = [process.stdout.readline() for _ in range(3)]
    assert re.fullmatch(
        r"weft serves (ws://127\.0\.0\.1:\d+)/<room> to Yjs and TinyBase, and automerge-repo at \1, "
        r"and keeps the rooms in weft\.sqlite3\n",
        first[0],
    )
    assert "this machine only" in first[1]
    assert "without authentication: whoever can connect may read and edit" in first[1]
    assert "pages of this machine" in first[2]
    process.send_signal(number)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 0
    assert out.splitlines()[-1] == "Stopped."
    assert complaints(err) == ""
    assert [entry.name for entry in tmp_path.iterdir()] == ["weft.sqlite3"]


def test_under_nohup_it_goes_on_when_the_terminal_is_closed(tmp_path: Path) -> None:
    process = subprocess.Popen(
        ["nohup", sys.executable, "-m", "weft", "serve", "--port", "0"],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    first = process.stdout.readline()
    process.send_signal(signal.SIGHUP)
    found = re.search(r"127\.0\.0\.1:(\d+)", first)
    assert found is not None
    with socket.create_connection(("127.0.0.1", int(found[1])), timeout=20):
        assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=20)
    assert process.returncode == 0
    assert out.splitlines()[-1] == "Stopped."


async def test_what_was_written_is_there_after_a_restart(tmp_path: Path) -> None:
    db = tmp_path / "rooms.sqlite3"
    with WeftServe(db) as server:
        async with YClient(server.url, "room") as client:
            await client.set(x=1)
            await client.flush()
        await asyncio.to_thread(server.stop)
    with WeftServe(db) as server:
        async with YClient(server.url, "room") as client:
            await client.wait_for(x=1)


def test_the_urls_of_bridged_rooms_are_printed(tmp_path: Path) -> None:
    assert first_lines(tmp_path, 5, "--bridge", "farm", "--bridge", "a/é")[3:] == [
        f"Room {room} is one room for all of them, and automerge:{bridge_document_id(room)}.\n"
        for room in ("farm", "a/é")
    ]


def test_without_automerge_a_bridge_says_what_to_install(tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules['automerge'] = None;"
        "from weft.cli import main; sys.exit(main(['serve', '--port', '0', '--bridge', 'farm']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=50, check=False, cwd=tmp_path
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == "weft: automerge is missing; install it with: pip install 'weft[automerge]'\n"
    assert list(tmp_path.iterdir()) == []


def test_without_automerge_yjs_rooms_are_served(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import sys; sys.modules['automerge'] = None;from weft.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    with WeftServe(tmp_path / "weft.sqlite3", program=(str(program),)) as server:
        assert asyncio.run(enters(server.url, None))


def test_a_taken_port_is_one_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = weft("serve", "--port", str(port), cwd=tmp_path)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith(f"weft serve: cannot listen on 127.0.0.1:{port}: ")
    assert done.stderr.count("\n") == 1


def test_an_address_of_nobody_is_one_sentence(tmp_path: Path) -> None:
    done = weft("serve", "--host", "no.such.host.invalid", "--port", "0", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("weft serve: cannot listen on no.such.host.invalid:0: ")
    assert done.stderr.count("\n") == 1


def test_a_database_that_is_none_is_one_sentence_and_stays_as_it_is(tmp_path: Path) -> None:
    db = tmp_path / "letter.txt"
    db.write_text("Dear database, " * 100)
    done = weft("serve", "--port", "0", "--db", str(db))
    assert done.returncode == 1
    assert done.stderr == f"weft serve: {db}: file is not a database\n"
    assert db.read_text() == "Dear database, " * 100


async def enters(url: str, origin: str | None, path: str = "/room") -> bool:
    headers = {} if origin is None else {"Origin": origin}
    try:
        async with connect(f"{url}{path}", additional_headers=headers):
            return True
    except InvalidStatus as error:
        return error.response.status_code != 403


@pytest.mark.parametrize(
    ("options", "welcome", "refused"),
    [
        (
            [],
            [None, "http://localhost:5173", "http://127.0.0.1", "https://[::1]:8443", "http://app.localhost"],
            ["https://example.com", "null", "file://", "http://localhost.evil.com", "http://10.0.0.1"],
        ),
        (
            ["--origin", "https://a.example", "--origin", "https://b.example"],
            [None, "https://a.example", "https://b.example"],
            ["https://c.example", "http://a.example", "http://localhost:5173"],
        ),
        (["--origin", "*"], [None, "https://anything.example", "null"], []),
    ],
)
async def test_pages_of_other_sites_must_be_named(
    tmp_path: Path, options: list[str], welcome: list[str | None], refused: list[str | None]
) -> None:
    with WeftServe(tmp_path / "weft.sqlite3", *options) as server:
        for path in ("/", "/room"):  # the first is automerge-repo's
            assert [origin for origin in welcome if not await enters(server.url, origin, path)] == []
            assert [origin for origin in refused if await enters(server.url, origin, path)] == []


def test_serving_other_machines_is_said(tmp_path: Path) -> None:
    lines = first_lines(tmp_path, 3, "--host", "0.0.0.0")
    assert "0.0.0.0, for other machines too" in lines[1]


async def test_a_closed_output_is_no_reason_to_end_and_none_to_forget_the_clients(tmp_path: Path) -> None:
    db = tmp_path / "rooms.sqlite3"
    with WeftServe(db) as server:
        async with YClient(server.url, "room") as client:
            await client.synced()
            server.close_output()
            await client.set(x=1)  # not confirmed
            await asyncio.to_thread(server.stop)  # and says so, to nobody
            assert await client.wait_closed() == 1012
    with WeftServe(db) as server:
        async with YClient(server.url, "room") as client:
            await client.wait_for(x=1)


@pytest.mark.parametrize("redirection", [">&-", "| true"])
def test_it_serves_whether_or_not_somebody_reads_what_it_prints(tmp_path: Path, redirection: str) -> None:
    port = free_port()
    command = f"{sys.executable} -W error -m weft serve --port {port} {redirection}"
    # "exec" where it can be: the signal is for the server.
    process = subprocess.Popen(
        ["bash", "-c", command if "|" in redirection else f"exec {command}"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        asyncio.run(entered(f"ws://127.0.0.1:{port}", process))
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        _, err = process.communicate(timeout=20)
    assert complaints(err) == ""


async def entered(url: str, process: subprocess.Popen[str]) -> None:
    """Wait until a server that says nothing serves a room."""
    while process.poll() is None:
        try:
            async with YClient(url, "room") as client:
                await client.synced()
                return
        except OSError:
            await asyncio.to_thread(process.poll)
    raise AssertionError("it ended")


def test_a_name_that_the_output_cannot_spell_is_no_reason_to_end(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    process = subprocess.Popen(
        [sys.executable, "-m", "weft", "serve", "--port", "0", "--db", "h\u00f6fe.sqlite3"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert process.stdout is not None
    assert "keeps the rooms in h\\xf6fe.sqlite3" in process.stdout.readline()
    process.terminate()
    process.communicate(timeout=20)
    assert process.returncode == 0


def remove_all(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()


async def test_what_was_confirmed_after_the_database_was_removed_is_there_after_a_kill(
    tmp_path: Path,
) -> None:
    db = tmp_path / "rooms.sqlite3"
    with WeftServe(db) as server:
        async with YClient(server.url, "room") as client, YClient(server.url, "other") as other:
            await other.set(z=3)
            await other.flush()
            await client.set(x=1)
            await client.flush()
            remove_all(tmp_path)
            await client.set(y=2)
            await client.flush()
            server.kill()
        assert "was removed while it was open; all that it held has been written again" in server.log
    with WeftServe(db) as server:
        async with YClient(server.url, "room") as client, YClient(server.url, "other") as other:
            await client.wait_for(x=1, y=2)
            await other.wait_for(z=3)


async def test_after_the_database_was_replaced_nothing_is_confirmed(tmp_path: Path) -> None:
    db, other = tmp_path / "rooms.sqlite3", tmp_path / "other.sqlite3"
    with WeftServe(other):
        pass
    with WeftServe(db) as server:
        async with YClient(server.url, "room") as client:
            await client.set(x=1)
            await client.flush()
            other.replace(db)
            await client.set(y=2)
            with pytest.raises(ConnectionError):
                await client.flush()
            assert client.close_code == 1013
        assert "ERROR weft.server: " in server.log
        assert "was replaced by another file while it was open" in server.log
        with pytest.raises(AssertionError, match="ended with 1"):
            server.stop()


def rooms_in(path: Path) -> list[str]:
    with closing(sqlite3.connect(path, timeout=0)) as db:
        return [name for (name,) in db.execute("SELECT name FROM rooms ORDER BY name")]


async def test_a_shared_database_can_be_read_and_copied_while_it_is_served(tmp_path: Path) -> None:
    db, copy = tmp_path / "rooms.sqlite3", tmp_path / "copy.sqlite3"
    with WeftServe(db, "--shared") as server:
        async with YClient(server.url, "room") as client:
            await client.set(x=1)
            await client.flush()
            assert rooms_in(db) == ["room"]
            with closing(sqlite3.connect(db)) as source, closing(sqlite3.connect(copy)) as target:
                source.backup(target)
            await client.set(y=2)
            await client.flush()
    with WeftServe(copy) as server:
        async with YClient(server.url, "room") as client:
            await client.wait_for(x=1)
            assert client.content == {"x": 1}


def test_a_database_is_its_server_s_alone_unless_it_is_shared(tmp_path: Path) -> None:
    db = tmp_path / "rooms.sqlite3"
    with WeftServe(db), pytest.raises(sqlite3.OperationalError, match="locked"):
        rooms_in(db)


async def test_a_client_may_send_as_much_as_the_option_says(tmp_path: Path) -> None:
    with WeftServe(tmp_path / "rooms.sqlite3", "--max-message", "64K") as server:
        async with YClient(server.url, "room") as client:
            await client.set(x="x" * 60_000)
            await client.flush()
            await client.set(x="y" * 70_000)
            assert await client.wait_closed() == 1009
