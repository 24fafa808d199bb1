"""weft's clients in rooms where JavaScript clients write what the binding for Python misreads."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support.live import LivePeer, until
from support.serving import WeftServe
from weft.errors import ConnectionClosedError, UnreadableContentError
from weft.providers import Backoff

if TYPE_CHECKING:
    from support.node import JsPeer

pytestmark = [pytest.mark.interop, pytest.mark.timeout(120)]

COMPACTING = (str(Path(__file__).parents[1] / "support" / "crash_server.py"), "compacting")
BASE = "x😀y"


async def test_a_python_client_goes_on_with_its_tables_and_changes_nothing_else(
    tmp_path: Path, js_peer: JsPeer
) -> None:
    with WeftServe(tmp_path / "weft.sqlite3") as server:
        for name in ("a", "b"):
            await js_peer("live.join", name=name, url=server.url, room="beside")
        async with LivePeer(server.url, "beside") as python:
            await python.provider.wait_synced(timeout=20)
            await js_peer("live.values", name="a")
            await js_peer("live.cut", name="a", step="write", base=BASE)
            await js_peer("doc.edit", name="a", edits=[["set", ["m", "written"], 1]])
            await js_peer("doc.wait", name="b", path=["m", "written"], equals=1)
            python.store.set_cell("pets", "fido", "species", "dog")
            await js_peer("live.cut", name="b", step="cut", base=BASE)
            await js_peer("live.cut", name="b", step="after", base=BASE)
            await js_peer(
                "doc.wait", name="b", path=["tinybase", "t", "pets", "fido", "species"], equals="dog"
            )
            cell = ["tinybase", "t", "pets", "fido", "age"]
            await js_peer("doc.edit", name="b", edits=[["set", cell, 3]])
            await python.until_cell("pets", "fido", "age", 3)
            await python.provider.flush(timeout=20)
            assert python.content() == ({"pets": {"fido": {"species": "dog", "age": 3}}}, {})
        await js_peer("doc.wait", name="a", path=cell, equals=3)
        # Newcomers see what the writers see, to the last half of an emoji.
        await js_peer("live.join", name="late", url=server.url, room="beside")
        await js_peer("socket.wait", name="late", condition="synced")
        seen = [await js_peer("live.seen", name=name) for name in ("a", "b", "late")]
        assert seen[0] == seen[1] == seen[2]
        assert '"big":4611686018427387904n' in seen[2]
        assert '"zero":-0' in seen[2]


async def test_what_it_cannot_read_ends_it_with_the_reason_and_nothing_is_lost(
    tmp_path: Path, js_peer: JsPeer
) -> None:
    path, errors = tmp_path / "weft.sqlite3", list[Exception]()
    cell = ["tinybase", "t", "pets", "fido"]
    quick = Backoff(initial=0.01, maximum=0.05)
    with WeftServe(path, program=COMPACTING) as server:
        port = server.port
        await js_peer("live.join", name="a", url=server.url, room="hooked")
        peer = LivePeer(server.url, "hooked", on_error=errors.append, backoff=quick)
        async with peer as python:
            await python.provider.wait_synced(timeout=20)
            python.store.set_cell("pets", "fido", "before", 1)
            await js_peer("doc.wait", name="a", path=[*cell, "before"], equals=1)
            await js_peer("live.hook", name="a")
            await until(
                lambda: python.provider.status == "closed",
                python.provider.add_status_listener,
                "the provider to give up",
            )
            final = errors[-1]
            assert isinstance(final, ConnectionClosedError)
            assert final.permanent
            assert "an XML hook, which Yjs reads and pycrdt would misread" in final.reason
            assert any(isinstance(error, UnreadableContentError) for error in errors)
            # The JavaScript client goes on, and so does the Store, alone.
            await js_peer("doc.edit", name="a", edits=[["set", [*cell, "meanwhile"], 2]])
            python.store.set_cell("pets", "fido", "offline", 3)
            await js_peer("live.unhook", name="a")
            await js_peer("doc.wait", name="a", path=[*cell, "meanwhile"], equals=2)
            server.stop()
            with WeftServe(path, port=port, program=COMPACTING):
                await js_peer("socket.wait", name="a", condition="synced")
                # Its writer has deleted it, and the room was compacted when the server stopped.
                await python.provider.connect()
                await python.provider.wait_synced(timeout=20)
                await js_peer("doc.wait", name="a", path=[*cell, "offline"], equals=3)
                await python.until_content(
                    ({"pets": {"fido": {"before": 1, "meanwhile": 2, "offline": 3}}}, {})
                )
                await js_peer("live.leave", name="a")
                await python.provider.close()
