"""The programs of docs/blocking.md under Flask and FastAPI's workers, with a JavaScript peer in the room."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import threading
import urllib.request
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

import pytest

from support.pages import DOCS, modules_of
from support.ports import free_port
from support.serving import WeftServe

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.node import SyncJsPeer

PAGE = DOCS / "blocking.md"
COMMANDS = {
    "flask": ["flask", "--app", "flask_app", "run", "--port", "{port}"],
    "fastapi": ["uvicorn", "fastapi_app:app", "--port", "{port}", "--workers", "2"],
}
READY = {"flask": "Running on", "fastapi": "Application startup complete"}


@contextmanager
def _workers(kind: str, folder: Path, url: str) -> Iterator[str]:
    """Start a web server with an app of the page; ends it as a service manager does."""
    port = free_port()
    for name, source in modules_of(PAGE):
        (folder / f"{name}.py").write_text(source.replace("ws://127.0.0.1:1234", url))
    command = [word.format(port=port) for word in COMMANDS[kind]]
    process = subprocess.Popen(
        [sys.executable, "-m", *command], cwd=folder, text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        lines = _until(process.stdout, READY[kind], 2 if kind == "fastapi" else 1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        rest, _ = process.communicate(timeout=20)
    assert not re.search("Traceback|ERROR", "".join(lines) + rest), "".join(lines) + rest


def _until(output: IO[str], wanted: str, count: int) -> list[str]:
    lines: list[str] = []
    for line in output:
        lines.append(line)
        if sum(wanted in line for line in lines) == count:
            return lines
    raise AssertionError("".join(lines))


def _post(address: str, row: dict[str, Any]) -> Any:
    request = urllib.request.Request(
        address, json.dumps(row).encode(), {"Content-Type": "application/json"}, method="POST"
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.loads(answer.read())


@pytest.mark.interop
@pytest.mark.parametrize("kind", COMMANDS)
def test_the_pages_program_under_real_workers(kind: str, tmp_path: Path, sync_js: SyncJsPeer) -> None:
    answers: list[Any] = []
    with WeftServe(tmp_path / "weft.sqlite3") as server, _workers(kind, tmp_path, server.url) as web:
        sync_js("doc.create", name="js")
        sync_js("socket.connect", name="js", url=server.url, room="shop")
        threads = [
            threading.Thread(
                target=lambda number=number: answers.append(_post(f"{web}/pets/{number}", {"n": number}))
            )
            for number in range(16)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert len(answers) == 16
        pets = {str(number): {"n": number} for number in range(16)}
        assert all(answer.items() <= pets.items() for answer in answers)
        sync_js("doc.wait", name="js", path=["tinybase", "t", "pets"], equals=pets)
        sync_js("doc.edit", name="js", edits=[["set", ["tinybase", "t", "pets", "15", "by"], "js"]])
        heard = 0
        while heard < 4:  # in a row: of two workers each has been asked, most likely
            heard = heard + 1 if "by" in _post(f"{web}/pets/0", {"n": 0})["15"] else 0
