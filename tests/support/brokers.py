"""Real Redis and NATS servers of a test's own, on free ports, without anything on disk."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import time
from typing import TYPE_CHECKING, Self

import pytest

from support.ports import free_port
from weft.testing.broadcast import BroadcastSuite, Heard, until

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["BrokerServer", "NatsServer", "RealBrokerSuite", "RedisServer", "broker_missing"]

_START_S = 20.0


def broker_missing(program: str) -> str | None:
    """Say what is missing to run one, or ``None``."""
    return None if shutil.which(program) else f"{program} is not installed"


class BrokerServer:
    """``with RedisServer() as broker: broker.url``; it can be ended, frozen and started again."""

    program = ""
    scheme = ""

    def __init__(self) -> None:
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def words(self) -> Sequence[str]:
        raise NotImplementedError

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        self._process = subprocess.Popen(
            [self.program, *self.words()], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        end = time.monotonic() + _START_S
        while time.monotonic() < end:
            assert self._process.poll() is None, f"{self.program} ended at its start"
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                time.sleep(0.005)
            else:
                return
        raise AssertionError(f"{self.program} takes no connections")

    def kill(self) -> None:
        """End it as ``kill -9`` does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(_START_S)
            self._process = None

    def freeze(self) -> None:
        """Have it do nothing any more, with its connections open."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


class RedisServer(BrokerServer):
    """A Redis server."""

    program = "redis-server"
    scheme = "redis"

    def words(self) -> Sequence[str]:
        return ("--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no")


class NatsServer(BrokerServer):
    """A NATS server."""

    program = "nats-server"
    scheme = "nats"

    def words(self) -> Sequence[str]:
        return ("-a", "127.0.0.1", "-p", str(self.port))


class RealBrokerSuite(BroadcastSuite):
    """The suite on a real broker, which can be frozen too."""

    server: type[BrokerServer]

    @pytest.fixture(autouse=True)
    def _broker(self) -> Iterator[None]:
        with self.server() as self.broker:
            yield

    def stop_broker(self) -> None:
        self.broker.kill()

    def start_broker(self) -> None:
        self.broker.start()

    async def test_a_connection_on_which_nothing_arrives_is_given_up(self) -> None:
        heard = Heard()
        async with self.make() as member:
            await member.open(heard)
            await member.subscribe("farm")
            self.broker.freeze()
            await until(lambda: not member.is_connected)
            assert heard.losses
            self.broker.thaw()
            await until(lambda: heard.connections == 2)
            member.publish("farm", b"back")
            await until(lambda: heard.on("farm") == [b"back"])
