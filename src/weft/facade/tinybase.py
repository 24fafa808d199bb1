"""``tinybase+ws://HOST:PORT/ROOM`` and ``tinybase+wss://``: rooms of TinyBase's websocket servers.

With ``#CHANNEL`` behind it the room is ``ROOM/CHANNEL``, in a channel of the websocket.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from weft.errors import LocalProtocolError
from weft.facade.presence import Peers
from weft.facade.protocol import Protocol, connection_options
from weft.protocols.tinybase import check_channel
from weft.providers import TinyBaseProvider
from weft.providers.address import check_server

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from weft.facade.address import Address
    from weft.facade.options import Options

__all__ = ["PROTOCOL", "NoPeers", "TinyBase"]


class TinyBase(Protocol):
    """TinyBase's synchronisation."""

    kind = "mergeable"

    def check(self, address: Address) -> None:
        """Check that the address names a room."""
        if not address.path:
            raise ValueError(f"{address.text} names no room: give {address.scheme}://HOST:PORT/ROOM")
        check_server(f"{address.server}/{address.path}")
        if address.fragment:
            check_channel(address.fragment)

    def create_provider(self, address: Address, document: Any, options: Options) -> TinyBaseProvider:
        """Make the provider: see the base class."""
        url, channel = f"{address.server}/{address.path}", address.fragment or None
        return TinyBaseProvider(document, url, channel, **connection_options(address, options))

    def shared_address(self, address: Address, provider: Any) -> str:
        """The address itself."""
        return address.text

    def peers(self, provider: Any) -> Peers:
        """Nobody is seen."""
        return NoPeers()


class NoPeers(Peers):
    """Presence where a protocol has none: nobody is seen, and nothing can be told."""

    @property
    def own_id(self) -> str:
        """Nobody sees one."""
        return ""

    def own(self) -> Mapping[str, Any]:
        """Nothing was told."""
        return {}

    def others(self) -> dict[str, Mapping[str, Any]]:
        """Nobody is seen."""
        return {}

    def tell(self, state: Mapping[str, Any]) -> None:
        """Refuse it; taking back what was never told is no mistake.

        Raises:
            LocalProtocolError: TinyBase has no presence.
        """
        if state:
            raise LocalProtocolError(
                "TinyBase's synchronisation has no presence, so nobody would see it. Keep who is here in a "
                "table of the Store, or use ws:// or automerge+ws://"
            )

    def listen(self, heard: Callable[[str, Mapping[str, Any] | None], None]) -> Callable[[], None]:
        """Nobody is heard of."""
        return lambda: None


PROTOCOL = TinyBase()
