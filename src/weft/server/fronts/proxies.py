"""Where a client comes from that a proxy passes on.

Who connects writes whatever it likes into ``X-Forwarded-For``, and proxies append what they see. So it counts
only on connections of proxies that whoever runs the server has named, and is read from its end.
"""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Proxies"]


class Proxies:
    """The proxies in front of a server.

    Args:
        networks: Addresses, or networks such as ``10.0.0.0/8``.

    Raises:
        ValueError: One is neither.
    """

    def __init__(self, networks: Sequence[str]) -> None:
        if isinstance(networks, str):
            raise TypeError("proxies are a list of addresses, not one string")
        self._networks = [ip_network(network) for network in networks]

    def __contains__(self, address: str) -> bool:
        """Whether it is one of them."""
        if not self._networks:
            return False
        try:
            parsed = ip_address(address.partition("%")[0])
        except ValueError:
            return False
        mapped = getattr(parsed, "ipv4_mapped", None)
        return any((mapped or parsed) in network for network in self._networks)

    def client(self, peer: str, forwarded: Sequence[str]) -> str:
        """The address of the client.

        Args:
            peer: Who has connected.
            forwarded: The values of ``X-Forwarded-For``.

        Returns:
            The last address that is no proxy's; empty where a proxy does not tell it.
        """
        hops = [hop.strip() for value in forwarded for hop in value.split(",")]
        for address in [peer, *reversed(hops)]:
            if address in self:
                continue
            try:
                return str(ip_address(address))
            except ValueError:
                break
        return ""
