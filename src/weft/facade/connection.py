"""A Store to be connected: its document, mirror, replica and provider, put together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from weft._support.arguments import path_of
from weft.facade.address import Address
from weft.facade.document_sync import DocumentSync
from weft.facade.documents import check_layout, create_document, create_mirror, open_replica
from weft.facade.opening import Opening
from weft.facade.options import ConnectOptions, Options
from weft.facade.protocol import protocol_of

if TYPE_CHECKING:
    import os

    from weft.facade.kept_store import KeptStore

__all__ = ["Connection"]


class Connection(Opening):
    """A Store to be connected."""

    def __init__(
        self, address: str, *, offline: str | os.PathLike[str] | None, **options: Unpack[ConnectOptions]
    ) -> None:
        self._address = Address.parse(address)
        self.address = self._address.text
        self._protocol = protocol_of(self._address)
        self._offline = None if offline is None else path_of(offline)
        self.options = Options(**options)
        check_layout(self._protocol.kind, self.options.layout)

    async def begin(self, store: KeptStore) -> DocumentSync:
        """Open it; see the base class."""
        options, protocol = self.options, self._protocol
        sync = DocumentSync(store, self.address, options.on_error, close_timeout=options.close_timeout)
        try:
            if self._offline is not None:
                sync.replica = await open_replica(
                    self._offline,
                    kind=protocol.kind,
                    url=self._address.fragment or None if protocol.kind == "automerge" else None,
                    durable=options.durable,
                    merge=options.merge,
                    on_error=sync.report_unsaved,
                )
            sync.protocol = protocol
            self._build(sync)
            sync.build = self._build
            await sync.begin(connect=options.connect)
        except BaseException:
            await sync.close()
            raise
        return sync

    def _build(self, sync: DocumentSync) -> None:
        """Make document, mirror and provider; none is begun yet."""
        options, protocol = self.options, self._protocol
        sync.document = create_document(protocol.kind) if sync.replica is None else sync.replica.document
        sync.mirror = create_mirror(
            protocol.kind, sync.store, sync.document, layout=options.layout, on_error=sync.report
        )
        sync.provider = protocol.create_provider(self._address, sync.replica or sync.document, options)
        sync.address = protocol.shared_address(self._address, sync.provider)
