"""PGlite behind its socket server, from the pinned npm packages."""

from __future__ import annotations

import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from typing import Self

from support.node import INTEROP
from support.ports import free_port

__all__ = ["Pglite"]

_PROGRAM = "node_modules/.bin/pglite-server"
_START_SECONDS = 40.0
_CONNECTIONS = 50


class Pglite:
    """A database in memory, on a free loopback port."""

    def __enter__(self) -> Self:
        self._log = tempfile.TemporaryFile()
        port = free_port()
        self.dsn = f"postgresql://postgres@127.0.0.1:{port}/postgres?sslmode=disable"
        self._process = subprocess.Popen(
            [
                "node",
                "node_modules/.bin/pglite-server",
                f"--port={port}",
                f"--max-connections={_CONNECTIONS}",
            ],
            cwd=INTEROP,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
        )
        end = time.monotonic() + _START_SECONDS
        while True:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                return self
            if self._process.poll() is not None or time.monotonic() > end:
                self._log.seek(0)
                raise AssertionError(f"PGlite did not start: {self._log.read()!r}")
            time.sleep(0.02)

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._log.close()
