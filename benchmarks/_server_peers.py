"""The servers that are measured, each a process of its own on 127.0.0.1."""

from __future__ import annotations

import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks._measure import report
from benchmarks._node import INTEROP

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = ["PEERS", "WEFT", "Contender", "Running", "present", "raise_open_files"]

_PORT = re.compile(r'"port":\s*(\d+)|ws://127\.0\.0\.1:(\d+)')
_ROOT = INTEROP.parent


@dataclass(frozen=True, slots=True)
class Contender:
    """One server.

    Attributes:
        name: In the table.
        commands: From a folder to the command lines of its processes; each prints its port.
        stores: What it keeps of an update, beside memory.
        acknowledges: What an answer to an update means.
        dialect: ``"y"`` for y-websocket's frames and a room in the path, or ``"hocuspocus"``.
        storing: Commands with storage, for the case that measures it, where ``commands`` have none.
        stored: What those keep.
        missing: Why it cannot run here, or ``None``.
    """

    name: str
    commands: Callable[[Path], Sequence[Sequence[str]]]
    stores: str
    acknowledges: str
    dialect: str = "y"
    storing: Callable[[Path], Sequence[Sequence[str]]] | None = None
    stored: str = ""
    missing: Callable[[], str | None] = lambda: None


@dataclass(frozen=True, slots=True)
class Running:
    """The processes of a server that listens."""

    contender: Contender
    urls: Sequence[str]
    processes: Sequence[subprocess.Popen[str]]
    folder: Path

    def options(self) -> dict[str, Any]:
        """What the load generator wants to know about it."""
        return {
            "urls": self.urls,
            "pids": [process.pid for process in self.processes],
            "dialect": self.contender.dialect,
            "folder": str(self.folder) if any(self.folder.iterdir()) else None,
        }

    def stop(self) -> None:
        """End it in order: what it still wants to store is stored."""
        for process in self.processes:
            process.send_signal(signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def disk(self) -> float:
        """All files in its folder, in kB."""
        return sum(file.stat().st_size for file in self.folder.rglob("*") if file.is_file()) / 1024


def _weft(folder: Path, *options: str) -> list[str]:
    db = str(folder / "rooms.sqlite3")
    return [sys.executable, "-m", "weft", "serve", "--port", "0", "--db", db, *options]


def _y_websocket(folder: Path) -> list[str]:
    return ["env", f"YPERSISTENCE={folder / 'leveldb'}", "node", str(INTEROP / "server.mjs")]


WEFT = Contender("weft", lambda folder: [_weft(folder)], "SQLite", "on disk")
# weft on PostgreSQL, and several processes with a broker, are more of these, with a command line for each
# process: the load generator spreads its clients over them and adds up what they cost.
PEERS = (
    Contender(
        "y-websocket",
        lambda _: [["node", str(INTEROP / "server.mjs")]],
        "no storage",
        "answered from memory",
        storing=lambda folder: [_y_websocket(folder)],
        stored="LevelDB, answered before",
    ),
    Contender(
        "Hocuspocus 4.7",
        lambda _: [["node", str(INTEROP / "hocuspocus_server.mjs")]],
        "no storage",
        "SyncStatus, in memory",
        dialect="hocuspocus",
        missing=lambda: None if (INTEROP / "node_modules/@hocuspocus").is_dir() else "npm ci in interop/",
    ),
    Contender(
        "pycrdt-websocket",
        lambda _: [[sys.executable, "-m", "benchmarks._server_pycrdt"]],
        "no storage",
        "answered from memory",
        missing=lambda: (
            None if find_spec("pycrdt.websocket") else "pip install --group bench, or the package by name"
        ),
    ),
)


@contextmanager
def present(contender: Contender, *, storing: bool = False) -> Iterator[Running]:
    """A fresh process of a server, in a folder of its own, until the block ends."""
    commands = contender.storing if storing and contender.storing else contender.commands
    with tempfile.TemporaryDirectory(prefix="weft-bench-") as name:
        folder = Path(name)
        processes: list[subprocess.Popen[str]] = []
        try:
            urls = []
            for command in commands(folder):
                process = subprocess.Popen(
                    command,
                    cwd=_ROOT,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                    env={**os.environ, "NODE_ENV": "production"},
                )
                processes.append(process)
                urls.append(f"ws://127.0.0.1:{_port(process, contender)}")
            yield Running(contender, urls, processes, folder)
        finally:
            for process in processes:
                process.kill()
                process.communicate()


def _port(process: subprocess.Popen[str], contender: Contender) -> str:
    assert process.stdout is not None
    for line in process.stdout:
        found = _PORT.search(line)
        if found:
            return found[1] or found[2]
    raise RuntimeError(f"{contender.name} ended with {process.wait()} before it listened")


def raise_open_files() -> int:
    """Let this process and what it starts have as many sockets as the machine allows; how many that is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        report(f"{hard} open files instead of {soft}")
    return hard
