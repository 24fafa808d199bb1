"""Cloudflare's and PartyKit's runtime on this machine, in a Node process (interop/lib/hosted.mjs)."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

from support.node import SyncJsPeer
from support.ports import free_port

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Hosted"]


class Hosted:
    """A server of Durable Objects, which can be stopped and started on its port. Use as a context manager.

    Args:
        kind: ``"partykit"`` or ``"durable"``.
        folder: Where the objects are kept.
    """

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind = kind
        self.folder = folder
        self.port = free_port()
        self._js = SyncJsPeer()

    @property
    def host(self) -> str:
        """Its host and port."""
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Serve."""
        args = {"name": "server", "kind": self.kind, "dir": str(self.folder), "port": self.port}
        self._js("hosted.serve", timeout=60, **args)

    def stop(self) -> None:
        """End the runtime; what the objects have stored stays in the folder."""
        self._js("reset", timeout=60)

    def request(self, method: str, path: str, body: str | None = None) -> tuple[int, str]:
        """Make one HTTP request; returns the status and the text."""
        data = None if body is None else body.encode()
        request = urllib.request.Request(f"http://{self.host}{path}", method=method, data=data)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def json(self, path: str) -> Any:
        """GET JSON; ``None`` where there is none."""
        text = self.request("GET", path)[1]
        return json.loads(text) if text else None

    def __enter__(self) -> Hosted:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._js.close()
