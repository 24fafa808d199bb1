"""A notebook as a page: run by a kernel of its own, and shown by Voilà with the widgets of Jupyter."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, Self

from support.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import TracebackType

__all__ = ["NotebookPage"]

_START_S = 30.0


class NotebookPage:
    """Serves a notebook; whoever opens its page has it run. Use as ``async with``.

    Args:
        folder: Where everything of Jupyter's goes; empty at first.
        notebook: The notebook, as its file has it.

    Attributes:
        url: Of the page.
    """

    def __init__(self, folder: Path, notebook: Mapping[str, Any]) -> None:
        self._folder = folder
        self._path = folder / "page.ipynb"
        self._path.write_text(json.dumps(notebook), encoding="utf-8")
        self._log = folder / "log.txt"
        port = free_port()
        self.url = f"http://127.0.0.1:{port}/"
        places = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR", "HOME")
        options = (f"--port={port}", "--Voila.ip=127.0.0.1", "--no-browser", "--show_tracebacks=True")
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "voila", str(self._path), *options],
                cwd=folder,
                env={**os.environ, **dict.fromkeys(places, str(folder))},
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    @property
    def log(self) -> str:
        """What Voilà and its kernels said so far."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    async def __aenter__(self) -> Self:
        deadline = time.monotonic() + _START_S
        while "is running at" not in self.log:
            if self._process.poll() is not None or time.monotonic() > deadline:
                self._process.kill()
                raise AssertionError(f"Voilà did not start:\n{self.log}")
            await asyncio.sleep(0.05)  # it tells nobody but its log
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Its kernels end with it.
        self._process.terminate()
        try:
            await asyncio.to_thread(self._process.wait, 10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if error is not None:
            error.add_note(self.log)
