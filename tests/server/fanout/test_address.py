from __future__ import annotations

import subprocess
import sys

import pytest

from weft.server.fanout import NatsBroadcast, RedisBroadcast, broadcast_at, check_broker


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("redis://host:6379/1", RedisBroadcast),
        ("rediss://user:secret@host", RedisBroadcast),
        ("nats://host", NatsBroadcast),
        ("nats://a, nats://b:4222", NatsBroadcast),
    ],
)
def test_an_address_stands_for_its_broker(address: str, kind: type) -> None:
    assert check_broker(address) == address
    assert type(broadcast_at(address, prefix="x")) is kind


@pytest.mark.parametrize("address", ["", "host", "http://host", "nats://a,redis://b", "unix:///tmp/redis"])
def test_another_address_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="begins with redis://, rediss:// or nats://"):
        broadcast_at(address)


@pytest.mark.parametrize(("address", "package"), [("redis://host", "redis"), ("nats://host", "nats")])
def test_without_the_extra_it_says_what_to_install(address: str, package: str) -> None:
    program = (
        f"import sys; sys.modules[{package!r}] = None; from weft.cli import main;"
        f"sys.exit(main(['serve', '--port', '0', '--db', 'postgresql://h/d', '--broker', {address!r}]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=50, check=False
    )
    assert done.returncode == 1
    assert done.stderr == f"weft: {package} is missing; install it with: pip install 'weft[{package}]'\n"
