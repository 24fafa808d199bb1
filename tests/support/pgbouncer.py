"""A real pgbouncer with transaction pooling, before the tests' PostgreSQL server."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from support.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.postgres import PostgresServer

__all__ = ["pgbouncer_missing", "transaction_pool"]

_NOBODY = 65534
_START_S = 20.0


def _binary() -> str | None:
    return shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")


def pgbouncer_missing() -> str | None:
    """Say what is missing to run it, or ``None``."""
    return None if _binary() else "pgbouncer is not installed"


@contextmanager
def transaction_pool(server: PostgresServer) -> Iterator[str]:
    """Run one; the DSN through it."""
    binary = _binary()
    assert binary is not None
    port = free_port()
    folder = Path(tempfile.mkdtemp(prefix="weft-pgb-"))
    config = folder / "pgbouncer.ini"
    config.write_text(
        f"[databases]\npostgres = host=127.0.0.1 port={server.port} dbname=postgres user=weft\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n"
        "pool_mode = transaction\ndefault_pool_size = 4\n"
    )
    user: dict[str, Any] = {}
    if os.getuid() == 0:  # which it refuses
        user = {"user": _NOBODY, "group": _NOBODY, "extra_groups": []}
        os.chown(folder, _NOBODY, _NOBODY)
    process = subprocess.Popen(
        [binary, str(config)], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **user
    )
    try:
        end = time.monotonic() + _START_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                assert process.poll() is None, "pgbouncer ended at its start"
                assert time.monotonic() < end, "pgbouncer takes no connections"
                time.sleep(0.005)
        yield f"postgresql://weft@127.0.0.1:{port}/postgres"
    finally:
        process.terminate()
        process.wait(_START_S)
        shutil.rmtree(folder)
