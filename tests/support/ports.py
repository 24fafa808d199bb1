"""Ports for servers that cannot choose one themselves, or that come back to theirs after they were away."""

from __future__ import annotations

import random
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["free_port"]

# Below the ports that systems give to clients (Linux: from 32,768): which of those is free at one moment may
# be a connection's, of any process, at the next.
_FIRST, _END, _BLOCK = 20_000, 32_000, 50


def _bound(port: int, kind: socket.SocketKind) -> socket.socket:
    bound = socket.socket(type=kind)
    try:
        bound.bind(("127.0.0.1", port))
    except OSError:
        bound.close()
        raise
    return bound


def _free_ports() -> Iterator[int]:
    blocks = list(range(_FIRST, _END, _BLOCK))
    random.SystemRandom().shuffle(blocks)  # not with the seed that a test has set
    for block in blocks:
        # UDP has port numbers of its own. Who holds a block's first there has the block, among all processes
        # that run tests, and until its end.
        with suppress(OSError):
            _bound(block, socket.SOCK_DGRAM).detach()
            for port in range(block, block + _BLOCK):
                with suppress(OSError):
                    _bound(port, socket.SOCK_STREAM).close()
                    yield port
    raise AssertionError("no port is free")


_ports = _free_ports()


def free_port() -> int:
    """A TCP port of the loopback address that no other test is given while this process lives."""
    return next(_ports)
