"""Each program in examples/ runs, says nothing on stderr, and prints what is written here."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError

import pytest

import weft
from support.browser import link_pyodide, zip_weft
from support.examples import EXAMPLES, Program, serve_folder
from support.node import INTEROP
from support.pages import DOCS, ROOT, modules_of
from support.ports import free_port
from support.serving import WeftServe, complaints

if TYPE_CHECKING:
    from pathlib import Path

    from support.node import SyncJsPeer

PRINTS = {
    "bridge.py": """\
the Yjs client sees that felix is a cat
the Automerge client sees that fido is a brown and white dog
the TinyBase client sees a dog and a cat
""",
    "merge_offline_edits.py": """\
{'id': 'bread', 'text': 'Bake bread'}
{'done': False, 'id': 'milk', 'owner': 'Ben', 'text': 'Buy milk'}
""",
    "shared_list.py": """\
milk is in the basket
the latecomer sees bread: {'loaves': 1}
the latecomer sees milk: {'done': True}
""",
    "undo_shared_edits.py": """\
painted: {"box": {"color": "green", "width": 20}, "circle": {"color": "black"}}
undone:  {"box": {"color": "green", "width": 10}, "circle": {"color": "black"}}
redone:  {"box": {"color": "green", "width": 20}, "circle": {"color": "black"}}
""",
}

NEED_NODE = {"bridge.py"}
# What runs until somebody ends it has a test of its own below.
RUN_ALONE = {"bot.py", "browser/todo.py", "sensor_logger.py", "service.py", "todo/todo.py"}


def check(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / name)],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert complaints(done.stderr) == ""
    assert done.stdout == PRINTS[name]


@pytest.mark.parametrize("name", sorted(PRINTS.keys() - NEED_NODE))
def test_the_example_prints_what_it_should(name: str) -> None:
    check(name)


@pytest.mark.interop
@pytest.mark.usefixtures("_node")
@pytest.mark.parametrize("name", sorted(NEED_NODE))
def test_the_example_with_javascript_peers_prints_what_it_should(name: str) -> None:
    check(name)


def test_every_example_is_run_and_short() -> None:
    found = {path.relative_to(EXAMPLES).as_posix(): path for path in EXAMPLES.rglob("*.py")}
    assert found.keys() == PRINTS.keys() | RUN_ALONE
    for name in ("sensor_logger.py", "bot.py", "todo/todo.py", "todo/page.js"):
        assert len((EXAMPLES / name).read_text(encoding="utf-8").splitlines()) <= 60


def _killed_loggers(folder: Path, seed: int, rounds: int) -> None:
    """Log with and without a server, killed each time, and see that nothing is lost or there twice."""
    print("seed", seed)
    rng, port = random.Random(seed), free_port()
    address = f"ws://127.0.0.1:{port}/farm"
    command = (str(EXAMPLES / "sensor_logger.py"), address, "farm.weft", "--interval", "0.001")
    logged: set[str] = set()

    def note(said: str) -> None:  # the last line of a killed one may be torn
        logged.update(re.findall(r"^(\S{16}) \w+\n", said, re.MULTILINE))

    def log_and_die() -> None:
        with Program(folder, *command) as logger:
            logger.until("readings are here")
            for _ in range(rng.randint(0, 40)):
                logger.until(" ")
            note(logger.kill())

    for _ in range(rounds):
        log_and_die()
    with WeftServe(folder / "weft.sqlite3", port=port):
        for _ in range(rounds):
            log_and_die()
        with Program(folder, *command, "--count", "3") as logger:
            said = logger.end()
        assert said.endswith("the server has all of them\n"), said
        note(said)
        with weft.sync.connect(address) as store:
            store.sync.wait_synced(timeout=20)
            readings = store.get_table("readings")
    assert logged <= readings.keys()
    assert (
        len(readings) <= len(logged) + 2 * rounds
    )  # each that was killed may have had one that it had not said
    assert all(reading.keys() == {"time", "celsius"} for reading in readings.values())


def test_the_logger_loses_nothing_when_it_is_killed(tmp_path: Path) -> None:
    _killed_loggers(tmp_path, random.SystemRandom().getrandbits(32), rounds=1)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_the_logger_loses_nothing_when_it_is_killed_again_and_again(tmp_path: Path) -> None:
    _killed_loggers(tmp_path, random.SystemRandom().getrandbits(32), rounds=40)


def test_the_bot_edits_along(tmp_path: Path) -> None:
    with WeftServe(tmp_path / "weft.sqlite3") as server:
        address = f"{server.url}/todo"
        with weft.sync.connect(address, poll=True) as store:
            store.on_cell("todos", None, "owner")(lambda *_: None)
            store.set_row("todos", "bread", {"text": "Bake bread @ada"})  # before the bot is there
            with Program(tmp_path, str(EXAMPLES / "bot.py"), address) as bot:
                bot.until("ada has to: Bake bread @ada")
                store.set_row("todos", "milk", {"text": "Buy milk"})
                store.set_cell("todos", "milk", "text", "Buy milk @ben")
                bot.until("ben has to: Buy milk @ben")
                while store.get_cell("todos", "milk", "owner") != "ben":
                    store.sync.poll(timeout=20)
                assert store.get_cell("todos", "bread", "owner") == "ada"
                assert [state["user"]["name"] for state in store.presence.others.values()] == ["bot"]
                assert bot.end(signal.SIGINT).count("\n") == 2


@pytest.mark.interop
@pytest.mark.timeout(300)
def test_python_in_a_page_keeps_a_list_and_shares_it(
    tmp_path: Path, sync_js: SyncJsPeer, chromium: str
) -> None:
    def on_page(op: str, **arguments: Any) -> Any:
        return sync_js(f"page.{op}", name="todo", timeout=60, **arguments)

    shutil.copytree(EXAMPLES / "browser", tmp_path, dirs_exist_ok=True)
    link_pyodide(tmp_path)
    zip_weft(tmp_path / "weft-0.1.0-py3-none-any.whl")
    port = free_port()
    address = f"ws://127.0.0.1:{port}"
    with serve_folder(tmp_path) as web:
        try:
            with WeftServe(tmp_path / "weft.sqlite3", port=port):
                on_page("open", url=f"{web}/index.html?server={address}", chromium=chromium)
                on_page("wait", selector="p", text="shared")
                on_page("fill", selector="input", text="Buy <b>milk</b>")
                on_page("press", key="Enter")
                on_page("wait", selector="li", text="Buy <b>milk</b>")
                sync_js("sync.create", name="peer")
                sync_js("sync.connect", name="peer", url=f"{address}/todo")
                sync_js("store.wait", name="peer", method="getRowCount", args=["todos"], equals=1)
                (row_id,) = sync_js("store.call", name="peer", method="getRowIds", args=["todos"])
                sync_js("store.call", name="peer", method="setCell", args=["todos", row_id, "done", True])
                on_page("wait", selector="li.done", text="Buy <b>milk</b>")
            on_page("wait", selector="p", text="what you write is kept here")
            on_page("fill", selector="input", text="Bake bread")
            on_page("press", key="Enter")
            on_page("wait", selector="li", text="Bake bread")
            on_page("reload")
            on_page("wait", selector="li", text="Bake bread")  # without a server
            with WeftServe(tmp_path / "weft.sqlite3", port=port):
                on_page("wait", selector="p", text="shared")
                sync_js("sync.create", name="late")
                sync_js("sync.connect", name="late", url=f"{address}/todo")
                sync_js("store.wait", name="late", method="getRowCount", args=["todos"], equals=2)
                assert on_page("texts", selector="li") == ["Buy <b>milk</b>", "Bake bread"]
                assert on_page("errors") == []
        finally:
            sync_js("page.closeAll")


def _ask(address: str, method: str = "GET", body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(address, data, {"Content-Type": "application/json"}, method=method)
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.loads(answer.read())


def _uvicorn(app: str, folder: Path, port: int) -> tuple[str, ...]:
    return ("-m", "uvicorn", f"{app}:app", "--app-dir", str(folder), "--port", str(port))


def test_the_service_answers_and_tells_of_changes(tmp_path: Path) -> None:
    web = f"http://127.0.0.1:{(port := free_port())}"
    with WeftServe(tmp_path / "weft.sqlite3") as server:
        room = f"{server.url}/shop"
        environment = {**os.environ, "ROOM": room}
        command = _uvicorn("service", EXAMPLES, port)
        with Program(tmp_path, *command, env=environment) as service, weft.sync.connect(room) as store:
            service.until("Uvicorn running on")
            assert _ask(f"{web}/pets/fido", "PUT", {"price": 5}) == {"fido": {"price": 5}}
            with pytest.raises(HTTPError, match="404"):
                _ask(f"{web}/pets/felix")
            with urllib.request.urlopen(f"{web}/live", timeout=20) as events:
                assert events.readline() == b'data: {"fido": {"price": 5}}\n'
                store.sync.wait_synced(timeout=20)
                store.set_cell("pets", "fido", "price", 6)
                while b'{"price": 6}' not in events.readline():
                    pass
            assert _ask(f"{web}/pets/fido") == {"price": 6}
            assert "Traceback" not in service.end(signal.SIGINT)


def test_the_asynchronous_service_of_the_page_answers(tmp_path: Path) -> None:
    port = free_port()
    with WeftServe(tmp_path / "weft.sqlite3") as server:
        app = dict(modules_of(DOCS / "fastapi.md"))["async_app"].replace("ws://127.0.0.1:1234", server.url)
        (tmp_path / "async_app.py").write_text(app, encoding="utf-8")
        with Program(tmp_path, *_uvicorn("async_app", tmp_path, port)) as service:
            service.until("Uvicorn running on")
            table = _ask(f"http://127.0.0.1:{port}/pets/fido", "PUT", {"price": 5})
            assert table == {"fido": {"price": 5}}
            assert "Traceback" not in service.end(signal.SIGINT)


@pytest.mark.interop
@pytest.mark.timeout(120)
def test_a_terminal_and_a_browser_share_a_list(tmp_path: Path, sync_js: SyncJsPeer, chromium: str) -> None:
    def on_page(op: str, **arguments: Any) -> Any:
        return sync_js(f"page.{op}", name="todo", timeout=30, **arguments)

    shutil.copy(EXAMPLES / "todo/index.html", tmp_path)
    subprocess.run(
        [INTEROP / "node_modules/.bin/esbuild", "page.js", "--bundle", f"--outfile={tmp_path / 'bundle.js'}"],
        cwd=EXAMPLES / "todo",
        env={**os.environ, "NODE_PATH": str(INTEROP / "node_modules")},
        capture_output=True,
        check=True,
    )
    screenshots = ROOT / "build/screenshots"
    screenshots.mkdir(parents=True, exist_ok=True)
    port = free_port()
    address = f"ws://127.0.0.1:{port}"
    todo = (str(EXAMPLES / "todo/todo.py"), f"{address}/todo")
    with serve_folder(tmp_path) as web, Program(tmp_path, *todo) as terminal:
        try:
            with WeftServe(tmp_path / "weft.sqlite3", port=port):
                terminal.tell("Buy milk")
                on_page("open", url=f"{web}/index.html?server={address}", chromium=chromium)
                on_page("wait", selector="li", text="Buy milk")
                on_page("fill", selector="input", text="Bake <b>bread</b>")
                on_page("press", key="Enter")
                terminal.until("2. [ ] Bake <b>bread</b>")
                on_page("click", selector="li", text="Buy milk")
                terminal.until("1. [x] Buy milk")
            terminal.tell("2")  # without a server
            terminal.until("2. [x] Bake <b>bread</b>")
            with WeftServe(tmp_path / "weft.sqlite3", port=port):
                on_page("wait", selector="li.done", text="Bake <b>bread</b>")
                on_page("screenshot", path=str(screenshots / "todo.png"))
                assert on_page("texts", selector="li.done") == ["Buy milk", "Bake <b>bread</b>"]
                assert on_page("errors") == []
                assert "Traceback" not in terminal.end()
        finally:
            sync_js("page.closeAll")
