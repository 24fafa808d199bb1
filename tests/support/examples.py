"""Programs of examples/ as their users run them: processes that are told things and print others."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    import signal
    from collections.abc import Iterator
    from types import TracebackType

__all__ = ["EXAMPLES", "Program", "serve_folder"]

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


class Program:
    """A program that runs, with one stream of what it prints and complains. Use as a context manager.

    Args:
        folder: Where it runs.
        command: What follows ``python -W error``.
        env: Its environment; by default this process's.
    """

    def __init__(self, folder: Path, *command: str, env: dict[str, str] | None = None) -> None:
        self.seen: list[str] = []
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", *command],
            cwd=folder,
            env=env,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def tell(self, line: str) -> None:
        """Type a line."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def until(self, wanted: str) -> str:
        """Read until a line has this in it, which is given; the test's own timeout is the limit."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.seen.append(line)
            if wanted in line:
                return line.rstrip()
        raise AssertionError(f"it never said {wanted!r}:\n{''.join(self.seen)}")

    def kill(self) -> str:
        """End it as ``kill -9`` does, and give all that it has printed."""
        self.process.kill()
        rest, _ = self.process.communicate()
        return "".join(self.seen) + rest

    def end(self, by: signal.Signals | None = None) -> str:
        """End it by a signal, or by the end of what is typed, and give all that it has printed.

        Raises:
            AssertionError: It ended with a failure.
        """
        if by is not None:
            self.process.send_signal(by)
        rest, _ = self.process.communicate(timeout=20)
        said = "".join(self.seen) + rest
        assert self.process.returncode == 0, said
        return said

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        with self.process:  # closes its pipes
            pass


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002 - its name there


@contextmanager
def serve_folder(folder: Path) -> Iterator[str]:
    """Serve the files of a folder, as ``python -m http.server`` does; gives the address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=folder))
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
