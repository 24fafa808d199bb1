"""A synchronizer over a browser's BroadcastChannel: TinyBase's synchronizer-broadcast-channel (10.0.1).

What goes over the channel is ``[from, to, request id, message, body]``, with JavaScript's ``undefined``.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from weft._aio.javascript import javascript
from weft._support.arguments import wrong_kind
from weft.documents.mergeable import get_unique_id
from weft.errors import RemoteProtocolError
from weft.protocols.tinybase import encode_message
from weft.providers.tinybase.custom import CustomSynchronizer

if TYPE_CHECKING:
    from collections.abc import Callable

    from weft.documents.mergeable import MergeableDocument
    from weft.protocols.tinybase import Message
    from weft.providers.tinybase.document import HasDocument

__all__ = ["BroadcastChannelSynchronizer"]


class BroadcastChannelSynchronizer(CustomSynchronizer):
    """Keeps a ``MergeableStore`` in sync with those of other pages of an origin, without a server.

    The counterpart of TinyBase's ``createBroadcastChannelSynchronizer``, and in sync with it; in workers,
    too.

    Args:
        document: A ``MergeableStore``, or its document.
        channel_name: The channel's name.
        request_timeout: Seconds that all others have to answer who is there.
        on_error: As of :class:`CustomSynchronizer`.

    Raises:
        RuntimeError: This Python runs in no browser.
        TypeError, ValueError: An argument is none.
    """

    def __init__(
        self,
        document: MergeableDocument | HasDocument,
        channel_name: str,
        *,
        request_timeout: float = 1.0,
        on_error: Callable[[Exception], None] | None = None,
    ) -> None:
        if not isinstance(channel_name, str):
            raise wrong_kind("a str for channel_name", channel_name)
        self._js = javascript("BroadcastChannelSynchronizer")
        self._name = channel_name
        self._id = get_unique_id()
        self._channel: Any = None
        self._callback: Any = None
        super().__init__(document, self._post, request_timeout=request_timeout, on_error=on_error)

    def get_channel_name(self) -> str:
        """Get the channel's name."""
        return self._name

    async def start(self) -> None:
        """Open the channel and begin, as :meth:`CustomSynchronizer.start` does."""
        if self._channel is None:
            self._channel = self._js.globals.BroadcastChannel.new(self._name)
            self._callback = self._js.callback(self._came)
            self._channel.onmessage = self._callback
        await super().start()

    async def stop(self) -> None:
        """Tell what was written up to now, and close the channel. Calling it again does nothing."""
        await super().stop()
        if self._channel is not None:
            self._channel.close()
            self._callback.destroy()
            self._channel = self._callback = None

    def _post(self, to: str | None, message: Message) -> None:
        ends = json.dumps([self._id, to])
        self._channel.postMessage(self._js.from_text(f"{ends[:-1]},{encode_message(message)[1:]}"))

    def _came(self, event: Any) -> None:
        data = event.data
        try:
            sender, to = (data[0], data[1]) if self._js.is_array(data) and len(data) == 5 else (None, None)
            if not isinstance(sender, str) or not (isinstance(to, str) or to is self._js.null):
                raise RemoteProtocolError("no message of a synchronizer came over the channel")
            if to in {self._id, self._js.null}:
                self.receive(sender, self._js.to_text(data.slice(2)))
        except RemoteProtocolError as error:
            self._tracker.report(error)  # another program's, on the same channel
