"""A real PostgreSQL server of the test session's own, on a free port."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from support.ports import free_port

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["PostgresServer", "postgres_missing"]

_NOBODY = 65534
_START_S = 20.0


def _binaries() -> Path | None:
    """Debian keeps them out of the path, one directory for each version."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if found:
        return found[-1].parent
    initdb = shutil.which("initdb")
    return None if initdb is None else Path(initdb).resolve().parent


def postgres_missing() -> str | None:
    """Say what is missing to run a server, or ``None``."""
    return None if _binaries() else "PostgreSQL's initdb is not installed"


def _stat(pid: str) -> tuple[str, int]:
    """The state of a process, and its parent (proc(5))."""
    state, parent = (Path("/proc") / pid / "stat").read_text().rpartition(")")[2].split()[:2]
    return state, int(parent)


def _children(parent: int) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if _stat(path.name)[1] == parent:
                found.append(int(path.name))
    return found


def _is_running(pid: int) -> bool:
    try:
        return _stat(str(pid))[0] not in "ZX"
    except OSError:
        return False


class PostgresServer:
    """``with PostgresServer() as server: server.dsn``; the data goes when it stops.

    It syncs nothing to the disk unless told to: what it has survives its own end, not the machine's.
    """

    def __init__(self, *, fsync: bool = False) -> None:
        self._fsync = "on" if fsync else "off"
        binaries = _binaries()
        assert binaries is not None
        self._binaries = binaries
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    @property
    def dsn(self) -> str:
        return f"postgresql://weft@127.0.0.1:{self.port}/postgres"

    def __enter__(self) -> Self:
        self._folder = Path(tempfile.mkdtemp(prefix="weft-pg-"))
        # PostgreSQL refuses to run as root.
        self._user: dict[str, Any] = {}
        if os.getuid() == 0:
            os.chown(self._folder, _NOBODY, _NOBODY)
            self._user = {"user": _NOBODY, "group": _NOBODY, "extra_groups": []}
        subprocess.run(
            [self._binaries / "initdb", "-D", self._folder / "data", "-U", "weft", "-A", "trust", "-N"],
            check=True,
            capture_output=True,
            cwd=self._folder,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
            **self._user,
        )
        self.port = free_port()
        self.start()
        return self

    def start(self) -> None:
        """Start it, again if it was stopped, and wait until it takes connections."""
        self._process = subprocess.Popen(
            [
                self._binaries / "postgres",
                *("-D", self._folder / "data", "-p", str(self.port), "-k", self._folder),
                *("-c", "listen_addresses=127.0.0.1", "-c", f"fsync={self._fsync}"),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self._folder,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
            **self._user,
        )
        end = time.monotonic() + _START_S
        while time.monotonic() < end:
            ready = subprocess.run(
                [self._binaries / "pg_isready", "-h", "127.0.0.1", "-p", str(self.port)],
                capture_output=True,
                check=False,
            )
            if ready.returncode == 0:
                return
            assert self._process.poll() is None, "PostgreSQL ended at its start"
            time.sleep(0.005)
        raise AssertionError("PostgreSQL does not take connections")

    def stop(self, *, immediate: bool = False) -> None:
        """Stop it at once, cutting all connections off; if immediate, without any good order."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT if immediate else signal.SIGINT)
            self._process.wait(_START_S)
            self._process = None

    def kill(self) -> None:
        """End all its processes as ``kill -9`` does, and wait until they are gone."""
        assert self._process is not None
        # Each has a session of its own, so none of them goes with the first at once, and it starts anew only
        # when they are gone.
        children = _children(self._process.pid)
        self._process.kill()
        for child in children:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        self._process.wait(_START_S)
        end = time.monotonic() + _START_S
        while any(_is_running(child) for child in children):
            assert time.monotonic() < end, "a process of PostgreSQL's survived kill -9"
            time.sleep(0.001)
        self._process = None

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
        shutil.rmtree(self._folder)
