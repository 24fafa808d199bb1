"""`weft serve`, run as its users run it."""

from __future__ import annotations

import asyncio
import re
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from websockets.exceptions import InvalidStatus

from support.commands import first_lines, weft
from support.serving import WeftServe
from support.yclient import YClient
from weft.server import bridge_document_id

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
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
        r"weft serves (ws://127\.0\.0\.1:\d+)/<room>, and automerge-repo at \1, and keeps the rooms in "
        r"weft\.sqlite3\n",
        first[0],
    )
    assert "this machine only" in first[1]
    assert "without authentication: whoever can connect may read and edit" in first[1]
    assert "pages of this machine" in first[2]
    process.send_signal(number)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 0
    assert out.splitlines()[-1] == "Stopped."
    assert err == ""
    assert [entry.name for entry in tmp_path.iterdir()] == ["weft.sqlite3"]


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
        f"Room {room} is automerge:{bridge_document_id(room)} as well.\n" for room in ("farm", "a/é")
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


async def enters(url: str, origin: str | None) -> bool:
    headers = {} if origin is None else {"Origin": origin}
    client = YClient(url, "room", additional_headers=headers)
    try:
        async with client:
            await client.synced()
            return True
    except ConnectionError:
        assert client.close_code == 4403
    except InvalidStatus as error:
        return error.response.status_code != 403
    return False


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
        assert [origin for origin in welcome if not await enters(server.url, origin)] == []
        assert [origin for origin in refused if await enters(server.url, origin)] == []


def test_serving_other_machines_is_said(tmp_path: Path) -> None:
    lines = first_lines(tmp_path, 3, "--host", "0.0.0.0")
    assert "0.0.0.0, for other machines too" in lines[1]
