"""A TinyBase Store and persister in a Node process: the other half of interop/persister_peer.mjs."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, Self

from support.node import INTEROP, node_missing
from weft.testing.persisters import until

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

__all__ = ["TinyBasePeer"]

_ANSWER_S = 20.0


class TinyBasePeer:
    """``async with TinyBasePeer("file", path=...) as js: await js.store("setCell", ...)``."""

    def __init__(self, kind: str, **options: Any) -> None:
        self._command = [INTEROP / "persister_peer.mjs", kind, json.dumps(options)]
        self.ignored: list[str] = []

    async def __aenter__(self) -> Self:
        assert node_missing() is None
        self._process = await asyncio.create_subprocess_exec(
            "node",
            *map(str, self._command),
            cwd=INTEROP,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=1 << 26,
        )
        await self.content()  # its place stands when it answers
        return self

    async def store(self, call: str, *args: Any) -> Any:
        return await self._ask("store", call, args)

    async def persister(self, call: str, *args: Any) -> Any:
        return await self._ask("persister", call, args)

    async def text(self) -> str:
        """The mergeable content of its MergeableStore, as its persisters write it."""
        text = await self._ask("text", "get", ())
        assert isinstance(text, str)
        return text

    async def edit(self, edit: tuple[Any, ...], back: tuple[Any, ...], arrived: Callable[[], bool]) -> None:
        """Edit the Store until the edit has arrived: TinyBase drops an automatic save while it loads."""
        for _ in range(8):
            await self.store(*edit)
            try:
                await until(arrived, seconds=1)
            except AssertionError:
                await self.store(*back)
            else:
                return
        raise AssertionError(f"an edit of TinyBase's did not arrive: {edit}")

    async def content(self) -> tuple[Any, Any]:
        tables, values = await self.store("getContent")
        return tables, values

    async def _ask(self, on: str, call: str, args: tuple[Any, ...]) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write((json.dumps({"on": on, "call": call, "args": args}) + "\n").encode())
        line = await asyncio.wait_for(self._process.stdout.readline(), _ANSWER_S)
        answer = json.loads(line)
        assert "error" not in answer, answer
        self.ignored += answer["ignored"]
        return answer["ok"]

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), _ANSWER_S)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
            raise
        finally:
            self._process._transport.close()  # type: ignore[attr-defined]
