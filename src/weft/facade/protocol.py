"""What a protocol is to ``weft.connect``: the provider it makes, and who else is there by it."""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from weft.facade.address import PROTOCOLS
from weft.providers.address import resolve

if TYPE_CHECKING:
    from collections.abc import Mapping

    from weft.facade.address import Address
    from weft.facade.documents import Kind
    from weft.facade.options import Options
    from weft.facade.presence import Peers
    from weft.providers import ConnectionOptions, WebsocketProvider

__all__ = ["Protocol", "connection_options", "protocol_of"]


class Protocol(ABC):
    """A wire protocol; each module that speaks one has one of it as ``PROTOCOL``.

    Attributes:
        kind: The kind of document that it keeps in sync.
    """

    kind: ClassVar[Kind]

    @abstractmethod
    def check(self, address: Address) -> None:
        """Check an address.

        Raises:
            ValueError: It cannot be used.
        """

    @abstractmethod
    def create_provider(self, address: Address, document: Any, options: Options) -> WebsocketProvider[Any]:
        """Make the provider of a document; nothing is opened yet.

        Args:
            address: It has been checked.
            document: Of this protocol's kind, or the replica that has it open.
            options: What was said.
        """

    @abstractmethod
    def shared_address(self, address: Address, provider: Any) -> str:
        """The address under which others find the document."""

    @abstractmethod
    def peers(self, provider: Any) -> Peers:
        """Who else has the document open."""


def connection_options(address: Address, options: Options) -> ConnectionOptions:
    """What every provider is told."""
    token, given = options.token, dict(address.params)

    async def params() -> Mapping[str, str]:
        found = await resolve(token, "")
        return {**given, "token": found} if found else given

    return {
        "params": given if token is None else params,
        "headers": options.headers,
        "transport": options.transport,
        "backoff": options.backoff,
        "open_timeout": options.open_timeout,
        "close_timeout": options.close_timeout,
        "on_error": options.on_error,
    }


def protocol_of(address: Address) -> Protocol:
    """Get what speaks to an address, which has been checked.

    Raises:
        ImportError: A package is missing for it; the extra is named.
        ValueError: The address cannot be used.
    """
    module = importlib.import_module(f"weft.facade.{PROTOCOLS[address.scheme]}")
    protocol: Protocol = module.PROTOCOL
    protocol.check(address)
    return protocol
