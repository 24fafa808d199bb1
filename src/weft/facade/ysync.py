"""``ws://HOST:PORT/ROOM`` and ``wss://``: rooms of y-websocket servers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from weft.facade.presence import Peers
from weft.facade.protocol import Protocol, connection_options
from weft.providers import YWebsocketProvider
from weft.providers.address import check_url

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from weft.facade.address import Address
    from weft.facade.options import Options
    from weft.protocols.awareness import Awareness, AwarenessChange

__all__ = ["PROTOCOL", "AwarenessPeers", "YSync"]


class YSync(Protocol):
    """y-websocket's protocol."""

    kind = "yjs"

    def check(self, address: Address) -> None:
        """Check that the address names a room."""
        if not address.path or address.fragment:
            raise ValueError(f"{address.text} names no room: give {address.server}/ROOM")
        check_url(address.server, address.path)

    def create_provider(self, address: Address, document: Any, options: Options) -> YWebsocketProvider:
        """Make the provider: see the base class."""
        return YWebsocketProvider(
            document, address.server, address.path, **connection_options(address, options)
        )

    def shared_address(self, address: Address, provider: Any) -> str:
        """The address itself."""
        return address.text

    def peers(self, provider: Any) -> Peers:
        """Who is in the room."""
        return AwarenessPeers(provider)


class AwarenessPeers(Peers):
    """Who is in a room, by awareness. A client's id is the text of its number."""

    def __init__(self, provider: YWebsocketProvider) -> None:
        awareness = provider.awareness
        assert awareness is not None  # noqa: S101 - it is made so above
        self._provider = provider
        self._awareness: Awareness = awareness

    @property
    def own_id(self) -> str:
        """One's own id, as the others see it."""
        return str(self._awareness.client_id)

    def own(self) -> Mapping[str, Any]:
        """One's own state."""
        return self._awareness.local_state or {}

    def others(self) -> dict[str, Mapping[str, Any]]:
        """The states of the others."""
        own = self._awareness.client_id
        return {
            str(client_id): state for client_id, state in self._awareness.states.items() if client_id != own
        }

    def tell(self, state: Mapping[str, Any]) -> None:
        """Change one's own state; without entries one is not seen."""
        self._provider.set_local_state(state or None)

    def listen(self, heard: Callable[[str, Mapping[str, Any] | None], None]) -> Callable[[], None]:
        """Hear of the others."""

        def changed(change: AwarenessChange, _origin: object) -> None:
            for client_id in change.ids:
                if client_id != self._awareness.client_id:
                    heard(str(client_id), self._awareness.states.get(client_id))

        return self._awareness.observe(changed)


PROTOCOL = YSync()
