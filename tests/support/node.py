"""Node and the pinned packages of interop/: finding them, installing them once, and driving a process.

Two forms of one peer process, both speaking JSON lines with interop/driver.mjs: ``JsPeer`` for asyncio
tests and ``SyncJsPeer`` for the rest (hypothesis programs, byte interop).
"""

from __future__ import annotations

import asyncio
import fcntl
import functools
import hashlib
import itertools
import json
import os
import re
import select
import shutil
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple, Self

from support.ports import free_port
from support.wire import from_wire, parse_line, to_wire

if TYPE_CHECKING:
    from types import TracebackType

__all__ = [
    "INTEROP",
    "WRITES_WHILE_CLOSING",
    "JsError",
    "JsPeer",
    "NodeProgram",
    "NodeServer",
    "SyncJsPeer",
    "node_missing",
]

INTEROP = Path(__file__).resolve().parents[2] / "interop"

_ANSWER_S = 20.0  # a command's time; far below the test's own, so that the reason is told
_INSTALL_S = 240.0  # npm ci takes 3 s here; a cold cache and a slow registry take longer
_EXIT_S = 10.0
_LINE_BYTES = 1 << 28  # a 100,000-cell content on one line

# What automerge-repo says when it has something to send on a socket that is just closing; it goes on.
WRITES_WHILE_CLOSING = r"(sync with peers threw an exception\s*)*"


class JsError(AssertionError):
    """A command failed in the JavaScript peer, or the process ended or stayed silent."""


@functools.cache
def node_missing() -> str | None:
    """Say what is missing to run JavaScript peers, after installing the packages if that was all.

    Returns:
        ``None`` when Node and the packages stand, otherwise the reason.
    """
    node = shutil.which("node")
    if node is None:
        return "node is not installed"
    wanted = hashlib.sha256(
        (INTEROP / "package-lock.json").read_bytes() + (INTEROP / ".npmrc").read_bytes()
    ).hexdigest()
    mark = INTEROP / "node_modules" / ".weft-lock-hash"
    # Several test runs may share one work tree: one installs, the others wait for it.
    lock_name = f"weft-npm-{hashlib.sha256(str(INTEROP).encode()).hexdigest()[:16]}.lock"
    with (Path(tempfile.gettempdir()) / lock_name).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if mark.is_file() and mark.read_text() == wanted:
            return None
        npm = shutil.which("npm")
        if npm is None:
            return "npm is not installed"
        done = subprocess.run(
            [npm, "ci", "--no-audit", "--no-fund"],
            cwd=INTEROP,
            capture_output=True,
            text=True,
            timeout=_INSTALL_S,
            check=False,
        )
        if done.returncode != 0:
            return f"npm ci failed: {done.stderr.strip() or done.stdout.strip()}"
        mark.write_text(wanted)
    return None


def _unwrap(answer: dict[str, Any], op: str) -> Any:
    if "error" in answer:
        error = answer["error"]
        raise JsError(f"{op}: {error['message']}\n{error['stack']}")
    return from_wire(answer["ok"])


def _log_file() -> IO[bytes]:
    # A file, because a pipe that nobody reads blocks the process when it is full.
    return tempfile.TemporaryFile()


def _complaints(stderr: IO[bytes]) -> str:
    stderr.seek(0)
    return stderr.read().decode(errors="replace").strip()


class _Requests:
    """Numbers requests and writes them as lines."""

    def __init__(self) -> None:
        self._ids = itertools.count(1)

    def line(self, op: str, args: dict[str, Any], timeout: float) -> tuple[int, bytes, float]:
        """Return the request's number, its line, and how long to wait for the answer, in seconds."""
        if op.endswith(".wait"):
            # The driver gives up first, and says what it saw instead.
            args = {**args, "timeout": timeout * 1000}
            timeout += 5
        number = next(self._ids)
        text = json.dumps({"id": number, "op": op, "args": to_wire(args)}, allow_nan=False)
        return number, text.encode() + b"\n", timeout


class _Child:
    """A Node process of interop/ on pipes, ended by closing its stdin. Use as a context manager."""

    def __init__(self, *command: str) -> None:
        self._stderr = _log_file()
        self._process = subprocess.Popen(
            ["node", *command],
            cwd=INTEROP,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
        )
        self._buffer = bytearray()

    def _read_line(self, what: str, deadline: float) -> bytes:
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        start = 0
        while (end := self._buffer.find(b"\n", start)) < 0:
            start = len(self._buffer)
            ready, _, _ = select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise JsError(f"{what}: no answer in time")
            data = os.read(descriptor, 1 << 20)
            if not data:
                raise JsError(f"{what}: the process ended:\n{_complaints(self._stderr)}")
            self._buffer += data
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line

    def kill(self) -> None:
        """End the process as ``kill -9`` does: no goodbye, no closing handshake."""
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """End the process.

        Raises:
            JsError: It wrote to stderr: the JavaScript side logs there what it could not read or apply.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(_EXIT_S)
        except subprocess.TimeoutExpired:
            self.kill()
        self._process.stdout.close()
        said = _complaints(self._stderr)
        self._stderr.close()
        if said:
            raise JsError(f"Node wrote to stderr:\n{said}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Sent(NamedTuple):
    """A command that is under way."""

    op: str
    number: int
    timeout: float


class SyncJsPeer(_Child):
    """One driver process, asked one thing at a time. Use as a context manager."""

    def __init__(self) -> None:
        super().__init__("driver.mjs")
        self._requests = _Requests()
        self._answers: dict[int, dict[str, Any]] = {}

    def __call__(self, op: str, *, timeout: float = _ANSWER_S, **args: Any) -> Any:
        """Send one command and return its result; commands that wait in JavaScript get the time too.

        Raises:
            JsError: The command failed, or gave no answer in time.
        """
        return self.receive(self.send(op, timeout=timeout, **args))

    def send(self, op: str, *, timeout: float = _ANSWER_S, **args: Any) -> Sent:
        """Send one command and go on meanwhile; several may be under way if this process reads what comes."""
        assert self._process.stdin is not None
        number, line, timeout = self._requests.line(op, args, timeout)
        try:
            self._process.stdin.write(line)
            self._process.stdin.flush()
        except BrokenPipeError as error:
            raise JsError(f"{op}: the process is gone:\n{_complaints(self._stderr)}") from error
        return Sent(op, number, timeout)

    def receive(self, sent: Sent) -> Any:
        """Return the result of a command; its time begins now.

        Raises:
            JsError: The command failed, or gave no answer in time.
        """
        deadline = time.monotonic() + sent.timeout
        while sent.number not in self._answers:
            answer = parse_line(self._read_line(sent.op, deadline))
            self._answers[answer["id"]] = answer
        return _unwrap(self._answers.pop(sent.number), sent.op)


class JsPeer:
    """One driver process for asyncio tests: commands may overlap. Use ``async with JsPeer() as js``."""

    def __init__(self) -> None:
        self._requests = _Requests()
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._stderr = _log_file()
        self.complaint = ""  # what a test expects on stderr, as a regular expression; by default nothing

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            "node",
            "driver.mjs",
            cwd=INTEROP,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=self._stderr,
            limit=_LINE_BYTES,
        )
        self._reader = asyncio.create_task(self._read())
        return self

    async def __call__(self, op: str, *, timeout: float = _ANSWER_S, **args: Any) -> Any:  # noqa: ASYNC109
        """Send one command and return its result; commands that wait in JavaScript get the time too.

        Raises:
            JsError: The command failed, or gave no answer in time.
        """
        assert self._process is not None
        assert self._process.stdin is not None
        number, line, timeout = self._requests.line(op, args, timeout)
        future = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        try:
            self._process.stdin.write(line)
            await self._process.stdin.drain()
            async with asyncio.timeout(timeout):
                return _unwrap(await future, op)
        except TimeoutError as error:
            raise JsError(f"{op}: no answer in time") from error
        except (BrokenPipeError, ConnectionResetError) as error:
            raise JsError(f"{op}: the process is gone:\n{_complaints(self._stderr)}") from error
        finally:
            del self._waiting[number]

    async def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            answer = parse_line(line)
            future = self._waiting.get(answer["id"])
            if future is not None and not future.done():
                future.set_result(answer)
        gone = {"error": {"message": "the process ended", "stack": _complaints(self._stderr)}}
        for future in self._waiting.values():
            if not future.done():
                future.set_result(gone)

    def kill(self) -> None:
        """End the process as ``kill -9`` does: no goodbye, no closing handshake."""
        assert self._process is not None
        self._process.kill()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._reader is not None
        self._process.stdin.close()
        try:
            async with asyncio.timeout(_EXIT_S):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        await self._reader
        said = _complaints(self._stderr)
        self._stderr.close()
        # An error under way says more than what followed from it.
        if error is None and not re.fullmatch(self.complaint, said):
            raise JsError(f"the JavaScript peer wrote to stderr:\n{said}")


class NodeServer(_Child):
    """A Node y-websocket server (interop/server.mjs), which keeps its rooms in memory only.

    Args:
        port: Where; a free one by default.
        program: Another server of interop/.
        options: What it is told beside the port.
    """

    def __init__(self, port: int | None = None, program: str = "server.mjs", *options: str) -> None:
        super().__init__(program, str(free_port() if port is None else port), *options)
        try:
            line = self._read_line("the Node server", time.monotonic() + _ANSWER_S)
        except JsError:
            self.close()
            raise
        self.port: int = json.loads(line)["port"]

    @property
    def url(self) -> str:
        """The server's address without a room."""
        return f"ws://127.0.0.1:{self.port}"


class NodeProgram(_Child):
    """JavaScript text run as a program of interop/, which is ended when enough was seen of it."""

    def __init__(self, source: str) -> None:
        super().__init__("--input-type=module", "-e", source)
        self._seen: list[str] = []

    def wait_for_line(self, wanted: str, *, timeout: float = _ANSWER_S) -> None:
        """Read what it prints until this line comes.

        Raises:
            JsError: It did not come in time, or the program ended before.
        """
        deadline = time.monotonic() + timeout
        while wanted not in self._seen:
            try:
                self._seen.append(self._read_line("the program", deadline).decode())
            except JsError as error:
                raise JsError(f"{error}\nwanted {wanted!r}, saw {self._seen}") from error

    def close(self) -> None:
        self.kill()  # it has no reason of its own to end
        super().close()
