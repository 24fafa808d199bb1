"""How a provider connects where nobody says: with what there is where this Python runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weft._aio.javascript import IN_BROWSER

if TYPE_CHECKING:
    from collections.abc import Callable

    from weft.providers.transport import Transport

__all__ = ["default_transport"]

default_transport: Callable[[], Transport]
if IN_BROWSER:
    from weft.providers._core.browser import BrowserTransport

    default_transport = BrowserTransport
else:
    from weft.providers._core.websockets import WebsocketsTransport

    default_transport = WebsocketsTransport
