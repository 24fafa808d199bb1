"""``automerge+ws://HOST:PORT#automerge:ID``: documents of automerge-repo servers.

The document stands behind ``#``, where automerge-repo's applications have it in the browser's address bar: it
is no business of the server's path. Without it a new document is made, and ``store.sync.address`` says its
address.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from weft.facade.presence import Peers
from weft.facade.protocol import Protocol, connection_options
from weft.protocols.automerge_repo import parse_document_url
from weft.providers import AutomergeWebsocketProvider
from weft.providers.address import check_server

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from weft.facade.address import Address
    from weft.facade.options import Options

__all__ = ["PROTOCOL", "AutomergeRepo", "PresencePeers"]


class AutomergeRepo(Protocol):
    """automerge-repo's protocol."""

    kind = "automerge"

    def check(self, address: Address) -> None:
        """Check the server's address, and the document's if there is one."""
        check_server(_server(address))
        if address.fragment:
            parse_document_url(address.fragment)

    def create_provider(
        self, address: Address, document: Any, options: Options
    ) -> AutomergeWebsocketProvider:
        """Make the provider: see the base class."""
        return AutomergeWebsocketProvider(
            document, _server(address), address.fragment or None, **connection_options(address, options)
        )

    def shared_address(self, address: Address, provider: Any) -> str:
        """The address with the document's URL."""
        return f"{address.text.partition('#')[0]}#{provider.document_url}"

    def peers(self, provider: Any) -> Peers:
        """Who has the document open."""
        return PresencePeers(provider)


class PresencePeers(Peers):
    """Who has a document open, by automerge-repo's presence, where an entry once told is never taken back.

    So an entry that is ``None`` is none.
    """

    def __init__(self, provider: AutomergeWebsocketProvider) -> None:
        self._own_id = provider.peer_id
        self._presence = provider.handle.presence()

    @property
    def own_id(self) -> str:
        """One's own id: the peer's."""
        return self._own_id

    def own(self) -> Mapping[str, Any]:
        """One's own state."""
        return _told(self._presence.local_state)

    def others(self) -> dict[str, Mapping[str, Any]]:
        """The states of the others."""
        return {peer_id: _told(state) for peer_id, state in self._presence.states.items()}

    def tell(self, state: Mapping[str, Any]) -> None:
        """Change one's own state, entry by entry."""
        before = self._presence.local_state
        for name in {**before, **state}:
            value = state.get(name)
            if name not in before or before[name] != value:
                self._presence.set(name, value)

    def listen(self, heard: Callable[[str, Mapping[str, Any] | None], None]) -> Callable[[], None]:
        """Hear of the others."""
        return self._presence.add_listener(
            lambda peer_id, state: heard(peer_id, None if state is None else _told(state))
        )


def _server(address: Address) -> str:
    return f"{address.server}/{address.path}" if address.path else address.server


def _told(state: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in state.items() if value is not None}


PROTOCOL = AutomergeRepo()
