"""The command line, run as its users run it."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from support.node import node_missing
from support.serving import WeftServe
from support.yclient import YClient
from weft import cli
from weft.cli.demo import find_interop
from weft.cli.serve import _is_loopback
from weft.server import bridge_document_id


def weft(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    # Without -X dev, in which asyncio remarks on a slow machine.
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "weft", *arguments],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
        **options,
    )


# The line itself


def test_the_version_is_the_package_s() -> None:
    done = weft("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"weft {version('weft')}\n", "")


def test_help_tells_what_there_is() -> None:
    done = weft("--help")
    assert done.returncode == 0
    assert "serve" in done.stdout
    assert "demo" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "weft: the following arguments are required: command (see weft --help)"),
        (["frobnicate"], "weft: argument command: invalid choice: 'frobnicate'"),
        (["serve", "--port", "x"], "weft serve: argument --port: 'x' is not a port number from 0 to 65535"),
        (["serve", "--port", "65536"], "weft serve: argument --port: '65536' is not a port number"),
        (["serve", "--port", "-1"], "weft serve: argument --port: "),
        (["serve", "--port", "²"], "weft serve: argument --port: '²' is not a port number"),
        (["serve", "--frob"], "weft: unrecognized arguments: --frob"),
        (["serve", "--ho", "::1"], "weft: unrecognized arguments: --ho ::1"),
        (["serve", "--bridge", "a/../b"], "weft serve: argument --bridge: the room name has a dot segment"),
        (["serve", "--bridge", ""], "weft serve: argument --bridge: the room name is empty"),
        (["serve", "extra"], "weft: unrecognized arguments: extra"),
        (["demo", "--port", "1"], "weft: unrecognized arguments: --port 1"),
    ],
)
def test_a_misused_line_is_one_sentence_and_exit_code_2(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(says)
    assert err.count("\n") == 1


@pytest.mark.parametrize("missing", ["pycrdt", "websockets"])
@pytest.mark.parametrize("command", ["serve", "demo"])
def test_without_the_extra_it_says_what_to_install(missing: str, command: str) -> None:
    program = (
        f"import sys; sys.modules[{missing!r}] = None;"
        f"from weft.cli import main; sys.exit(main([{command!r}]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=50, check=False
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == f"weft: {missing} is missing; install it with: pip install 'weft[server]'\n"


def test_reading_the_line_loads_neither_asyncio_nor_an_extra() -> None:
    program = (
        "import sys; from weft.cli import main; main(['--version']);"
        "print([name for name in ('asyncio', 'pycrdt', 'websockets', 'sqlite3') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=50, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


# weft serve


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


def first_lines(folder: Path, count: int, *options: str) -> list[str]:
    """What ``weft serve`` says when it starts."""
    process = subprocess.Popen(
        [sys.executable, "-m", "weft", "serve", "--port", "0", *options],
        cwd=folder,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(count)]
    process.terminate()
    process.communicate(timeout=20)
    return lines


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


@pytest.mark.parametrize(
    ("host", "is_loopback"),
    [("localhost", True), ("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("a.localhost", True),
     ("0.0.0.0", False), ("::", False), ("example.com", False), ("", False), ("localhost.example", False)],
)  # fmt: skip
def test_only_loopback_addresses_are_this_machine(host: str, is_loopback: bool) -> None:
    assert _is_loopback(host) is is_loopback


def test_serving_other_machines_is_said(tmp_path: Path) -> None:
    lines = first_lines(tmp_path, 3, "--host", "0.0.0.0")
    assert "0.0.0.0, for other machines too" in lines[1]


# weft demo

ROWS = ['fido        "walnut"         true  "dog"', 'felix                 3.5          "cat"']


def _without_node(folder: Path) -> dict[str, str]:
    """An environment in which nothing is found but Python."""
    return {**os.environ, "PATH": str(folder)}


def _check_demo(done: subprocess.CompletedProcess[str], second: str) -> None:
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    lines = [line.strip() for line in done.stdout.splitlines()]
    assert any(line.startswith(f"{second} ") and 'sees pets/fido/species is "dog"' in line for line in lines)
    assert any(line.startswith("Python ") and "sees pets/fido/sold is true" in line for line in lines)
    assert f"Python and {second} now hold the same tables:" in lines
    table = lines[lines.index(f"Python and {second} now hold the same tables:") :]
    cells = [re.split(r"\s{2,}", line) for line in table]
    assert ["fido", '"walnut"', "true", '"dog"'] in cells
    assert ["felix", "3.5", '"cat"'] in cells
    assert ["polly", "41", '"parrot"'] in cells
    assert ["dog", '["woof", "grr"]'] in cells


@pytest.mark.interop
@pytest.mark.usefixtures("_node")
def test_the_demo_has_a_javascript_peer_where_node_is() -> None:
    done = weft("demo")
    _check_demo(done, "JavaScript")


def test_the_demo_has_a_second_python_peer_where_node_is_not(tmp_path: Path) -> None:
    done = weft("demo", env=_without_node(tmp_path))
    assert "Node is not installed: the second peer is another Python peer." in done.stdout
    _check_demo(done, "Python 2")


def test_the_demo_says_when_the_packages_cannot_be_installed(tmp_path: Path) -> None:
    interop = tmp_path / "interop"
    interop.mkdir()
    (interop / "demo_peer.mjs").write_text("")
    tools = tmp_path / "bin"
    tools.mkdir()
    for name, text in [("node", "#!/bin/sh\n"), ("npm", "#!/bin/sh\necho first\necho no network\nexit 1\n")]:
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)
    done = weft("demo", cwd=tmp_path, env={**os.environ, "PATH": f"{tools}:/bin:/usr/bin"})
    assert f"Installing the JavaScript packages in {interop}, once." in done.stdout
    assert "That failed (no network): the second peer is another Python peer." in done.stdout
    _check_demo(done, "Python 2")


def test_the_demo_fails_in_one_sentence_when_the_peer_does_not_come(tmp_path: Path) -> None:
    interop = tmp_path / "interop"
    for name in ("tinybase", "ws", "y-websocket", "yjs"):
        (interop / "node_modules" / name).mkdir(parents=True)
    (interop / "demo_peer.mjs").write_text("")
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "node").write_text("#!/bin/sh\nexit 3\n")
    (tools / "node").chmod(0o755)
    done = weft("demo", cwd=tmp_path, env={**os.environ, "PATH": f"{tools}:/bin:/usr/bin"})
    assert done.returncode == 1
    assert done.stderr == "weft demo: the JavaScript peer ended with exit code 3\n"


def test_the_folder_of_the_javascript_peer_is_looked_for_here_and_beside_the_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout = Path(__file__).parents[2] / "interop"
    monkeypatch.chdir(tmp_path)
    assert find_interop() == checkout
    (tmp_path / "interop").mkdir()
    assert find_interop() == checkout
    (tmp_path / "interop" / "demo_peer.mjs").write_text("")
    assert find_interop() == tmp_path / "interop"


def test_node_is_not_skipped_by_mistake() -> None:
    assert (node_missing() is None) <= (shutil.which("node") is not None)
