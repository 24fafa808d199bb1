"""Addresses: what is read from them, and what is refused at once, with what to give instead."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from weft.facade.address import PROTOCOLS, Address
from weft.facade.protocol import protocol_of

FORMS = r"give ws://HOST:PORT/ROOM or automerge\+ws://HOST:PORT#automerge:ID or tinybase\+ws://HOST:PORT/ROOM"
DOCUMENT = "automerge:2j9knpCseyhnK8izDmLpGP5WMdZQ"


@pytest.mark.parametrize(
    ("given", "server", "path", "fragment"),
    [
        ("ws://farm.example/a/b", "ws://farm.example", "a/b", ""),
        ("WSS://farm.example:1234/caf%C3%A9 1", "wss://farm.example:1234", "caf%C3%A9 1", ""),
        (f"automerge+wss://h/sync#{DOCUMENT}", "wss://h", "sync", DOCUMENT),
        ("automerge+ws://[::1]:3030", "ws://[::1]:3030", "", ""),
        ("tinybase+wss://h/a/b#one/two", "wss://h", "a/b", "one/two"),
    ],
)
def test_the_parts_of_an_address(given: str, server: str, path: str, fragment: str) -> None:
    address = Address.parse(given)
    assert (address.server, address.path, address.fragment) == (server, path, fragment)
    protocol_of(address)


def test_a_query_is_sent_and_not_shown() -> None:
    address = Address.parse("ws://h/room?token=secret&v=1#")
    assert address.params == {"token": "secret", "v": "1"}
    assert "secret" not in f"{address!r} {address.text}"


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        (None, TypeError, "an address, such as ws://HOST:PORT/ROOM"),
        (
            "farm.weft",
            ValueError,
            f"'farm.weft' is no address of a server: {FORMS}.*; weft.open opens places",
        ),
        ("http://h/room", ValueError, f"http:// is not known here: {FORMS}"),
        ("postgresql://h/room", ValueError, "weft.open opens it"),
    ],
)
def test_what_is_no_address_is_refused(given: Any, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        Address.parse(given)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("ws://h", "ws://h names no room: give ws://h/ROOM"),
        ("ws://h/room#there", "names no room"),
        ("ws:///room", "url must be ws://host"),
        ("ws://h:99999/room", "the port must be one of 1 to 65535"),
        ("ws://two words/room", "the host must be a name or an address"),
        ("ws://h/a/../b", "must not hold the path segments"),
        ("automerge+ws://h#2j9k", "2j9k"),
        ("automerge+ws://", "url must be ws://host"),
        ("tinybase+ws://h", r"names no room: give tinybase\+ws://HOST:PORT/ROOM"),
        ("tinybase+ws://two words/room", "the host must be a name or an address"),
        ("tinybase+ws://h/room#a//b", "no empty segment"),
    ],
)
def test_what_cannot_be_reached_is_refused(given: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        protocol_of(Address.parse(given))


def test_every_scheme_has_a_protocol() -> None:
    for scheme in PROTOCOLS:
        protocol_of(Address.parse(f"{scheme}://h/{'' if scheme.startswith('automerge') else 'room'}"))


@pytest.mark.parametrize(
    ("call", "package", "extra"),
    [
        ("connect('ws://h/room')", "pycrdt", "yjs"),
        ("sync.connect('automerge+ws://h')", "cbor2", "automerge"),
        ("sync.connect('automerge+ws://h')", "automerge", "automerge"),
        ("open('postgresql://h/d')", "asyncpg", "postgres"),
    ],
)
def test_a_missing_package_is_named_at_once_with_its_extra(call: str, package: str, extra: str) -> None:
    program = f"""
import sys, weft
sys.modules[{package!r}] = None
try:
    weft.{call}
except ImportError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout.endswith(f" needs the package '{package}': pip install 'weft[{extra}]'\n")
