"""Whose `X-Forwarded-For` counts, and what of it."""

from __future__ import annotations

import pytest

from weft.server.fronts.proxies import Proxies


def test_only_the_proxies_that_were_named_are_believed() -> None:
    proxies = Proxies(["127.0.0.1", "10.0.0.0/8", "fd00::/8"])
    assert "127.0.0.1" in proxies
    assert "::ffff:10.1.2.3" in proxies
    assert "fd00::1%eth0" in proxies
    assert "192.0.2.7" not in proxies
    assert "a path" not in proxies
    assert "127.0.0.1" not in Proxies([])


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("192.0.2.7", ["198.51.100.1"], "192.0.2.7"),  # no proxy: what it says of itself does not count
        ("10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["203.0.113.9, 198.51.100.1"], "198.51.100.1"),  # the first is the client's own word
        ("10.0.0.1", ["203.0.113.9", "198.51.100.1 , 10.0.0.2"], "198.51.100.1"),
        ("10.0.0.1", ["198.51.100.1, unknown"], ""),
        ("10.0.0.1", [], ""),
        ("10.0.0.1", ["10.0.0.3"], ""),
    ],
)
def test_a_client_comes_from_the_last_address_that_is_no_proxy(
    peer: str, forwarded: list[str], client: str
) -> None:
    assert Proxies(["10.0.0.0/8"]).client(peer, forwarded) == client


def test_what_is_no_network_is_refused() -> None:
    with pytest.raises(ValueError, match="does not appear to be"):
        Proxies(["proxy.example"])
    with pytest.raises(TypeError, match="not one string"):
        Proxies("10.0.0.1")
