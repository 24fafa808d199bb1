"""``weft demo``: a server and two peers that edit the same tables, shown as it happens."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weft.cli.demo_peers import PATIENCE, SCRIPT, javascript_peer, python_peer
from weft.errors import WeftError
from weft.server import Server, SqliteRoomStorage, allow_all

if TYPE_CHECKING:
    from collections.abc import Callable

    from weft.cli.demo_peers import CellPath, DemoPeer, Tables

__all__ = ["demo", "find_interop"]

_INSTALL = 50.0  # seconds for npm; it takes a few
# Who writes what, in turn. Nested values are among them because every peer must read them alike.
_EDITS: list[tuple[int, CellPath, Any]] = [
    (0, ("pets", "fido", "species"), "dog"),
    (1, ("pets", "fido", "color"), "brown"),
    (1, ("pets", "felix", "species"), "cat"),
    (0, ("pets", "felix", "price"), 3.5),
    (0, ("species", "dog", "sounds"), ["woof", "grr"]),
    (1, ("species", "cat", "sounds"), {"soft": "purr", "loud": "mrrow"}),
    (1, ("pets", "fido", "sold"), True),
    (0, ("pets", "fido", "color"), "walnut"),
]
# And what both write at the same moment, before either has heard of the other's.
_AT_ONCE: list[tuple[int, CellPath, Any]] = [
    (0, ("pets", "polly", "species"), "parrot"),
    (1, ("pets", "polly", "age"), 41),
]


def demo(*, say: Callable[[str], object]) -> None:
    """Run the demo.

    Args:
        say: Prints a line.

    Raises:
        WeftError: Something that must not fail has failed.
    """
    asyncio.run(_demo(say))


async def _demo(say: Callable[[str], object]) -> None:
    try:
        with tempfile.TemporaryDirectory(prefix="weft-demo-") as folder:
            storage = SqliteRoomStorage(Path(folder) / "weft.sqlite3")
            async with Server(auth=allow_all, storage=storage, port=0) as server:
                say(f"A server at {server.url}, its rooms in a temporary SQLite file.")
                async with python_peer("Python", server.url) as first:
                    interop = await _prepare_node(say)
                    second_peer = (
                        python_peer("Python 2", server.url)
                        if interop is None
                        else javascript_peer(interop, server.url)
                    )
                    async with second_peer as second:
                        await _play(first, second, say)
    except TimeoutError as error:
        raise WeftError(f"an edit did not arrive within {PATIENCE:g} s") from error


async def _play(first: DemoPeer, second: DemoPeer, say: Callable[[str], object]) -> None:
    peers = (first, second)
    width = max(len(peer.name) for peer in peers)

    def tell(peer: DemoPeer, text: str) -> None:
        say(f"  {peer.name:<{width}}  {text}")

    say("")
    say("They edit in turn:")
    for writer, path, value in _EDITS:
        begun = time.perf_counter()
        peers[writer].set_cell(path, value)
        await peers[1 - writer].wait_for(path, value)
        took = (time.perf_counter() - begun) * 1000
        tell(peers[writer], f"sets {_show(path)} to {json.dumps(value)}")
        tell(peers[1 - writer], f"sees {_show(path)} is {json.dumps(value)}, {took:.1f} ms later")
    say("")
    say("They write the same new row at the same moment, and both writes stay:")
    for writer, path, value in _AT_ONCE:
        peers[writer].set_cell(path, value)
        tell(peers[writer], f"sets {_show(path)} to {json.dumps(value)}")
    for writer, path, value in _AT_ONCE:
        await peers[1 - writer].wait_for(path, value)
        tell(peers[1 - writer], f"sees {_show(path)} is {json.dumps(value)}")

    tables = await _agreed(first, second)
    say("")
    say(f"{first.name} and {second.name} now hold the same tables:")
    for table_id, rows in tables.items():
        say("")
        for line in _table(table_id, rows):
            say(f"  {line}")


def find_interop() -> Path | None:
    """The folder of the JavaScript peers: in the current directory, or beside the source checkout."""
    for parent in (Path.cwd(), Path(__file__).resolve().parents[3]):
        if (parent / "interop" / SCRIPT).is_file():
            return parent / "interop"
    return None


async def _prepare_node(say: Callable[[str], object]) -> Path | None:
    """The folder to run the JavaScript peer in, its packages installed; ``None``, and the reason said."""
    interop = find_interop()
    if shutil.which("node") is None:
        say("Node is not installed: the second peer is another Python peer.")
        return None
    if interop is None:
        say(
            "The JavaScript peer comes with weft's source (interop/): the second peer is another Python peer."
        )
        return None
    if not all(
        (interop / "node_modules" / name).is_dir() for name in ("tinybase", "ws", "y-websocket", "yjs")
    ):
        npm = shutil.which("npm")
        if npm is None:
            say("npm is not installed: the second peer is another Python peer.")
            return None
        say(f"Installing the JavaScript packages in {interop}, once.")
        problem = await _install(npm, interop)
        if problem is not None:
            say(f"That failed ({problem}): the second peer is another Python peer.")
            return None
    say("The second peer is TinyBase in a Node process, connected by y-websocket.")
    return interop


async def _install(npm: str, interop: Path) -> str | None:
    process = await asyncio.create_subprocess_exec(
        npm, "ci", "--no-audit", "--no-fund", cwd=interop,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        async with asyncio.timeout(_INSTALL):
            output, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        return f"npm took longer than {_INSTALL:g} s"
    if process.returncode == 0:
        return None
    lines = output.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else f"npm ended with {process.returncode}"


async def _agreed(first: DemoPeer, second: DemoPeer) -> Tables:
    async with asyncio.timeout(PATIENCE):
        while (tables := await first.tables()) != await second.tables():  # noqa: ASYNC110 - asked, not told
            await asyncio.sleep(0.02)
    return tables


def _show(path: CellPath) -> str:
    return "/".join(path)


def _table(table_id: str, rows: dict[str, dict[str, Any]]) -> list[str]:
    """A table as text; rows and columns sorted, as peers may have them in different orders."""
    columns = sorted({cell_id for row in rows.values() for cell_id in row})
    grid = [[table_id, *columns]]
    for row_id in sorted(rows):
        row = rows[row_id]
        grid.append([row_id, *(json.dumps(row[column]) if column in row else "" for column in columns)])
    widths = [max(len(line[at]) for line in grid) for at in range(len(columns) + 1)]
    text = [
        "  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in grid
    ]
    return [text[0], "  ".join("-" * width for width in widths), *text[1:]]
