"""The transport of a browser: with a server of ours, and with TinyBase on the page and a server."""

from __future__ import annotations

import json
import threading
from contextlib import suppress
from queue import Queue
from typing import TYPE_CHECKING

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from support.node import NodeProgram
from support.ports import free_port
from support.serving import WeftServe
from weft.providers import BrowserTransport

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.browser import PythonPage

_START = """
import asyncio
from weft.errors import ConnectError, ConnectionClosedError
from weft.providers import BrowserTransport
async def connect(path="/", max_size=1000, **options):
    settings = {"headers": (), "subprotocols": ["b", "a"], "open_timeout": 20, **options}
    return await BrowserTransport().connect(url + path, max_size=max_size, **settings)
async def ending(awaited):
    try:
        return str(await awaited)
    except ConnectionClosedError as error:
        return [error.code, error.reason, error.permanent]
    except ConnectError as error:
        return str(error)
"""


def test_it_needs_a_browser() -> None:
    with pytest.raises(RuntimeError, match="BrowserTransport runs in a browser"):
        BrowserTransport()


@pytest.fixture
def server() -> Iterator[tuple[str, Queue[int]]]:
    """Sends back what it is sent, but for paths that say something else; with how connections ended."""
    ends: Queue[int] = Queue()

    def handle(connection: ServerConnection) -> None:
        assert connection.request is not None
        match connection.request.path:
            case "/close":
                connection.send("last")
                connection.close(4404, "gone")
                return
            case "/large":
                connection.send(b"x" * 1001)
        with suppress(ConnectionClosed):
            for message in connection:
                connection.send(message)
        assert connection.protocol.close_rcvd is not None
        ends.put(connection.protocol.close_rcvd.code)

    with serve(handle, "127.0.0.1", 0, subprotocols=["a"], max_size=None) as server:  # type: ignore[list-item]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}", ends
        server.shutdown()
        thread.join()


@pytest.mark.interop
@pytest.mark.timeout(240)
def test_it_keeps_the_contract_of_transports(python_page: PythonPage, server: tuple[str, Queue[int]]) -> None:
    url, ends = server
    source = f"""{_START}
connection = await connect()
said = [connection.subprotocol]
for data in (b"", bytes(range(256)), "t\u00e9xt \U0001f436"):
    await connection.send(data)
    back = await connection.recv()
    said.append(back == data and type(back) is type(data))
waiting = asyncio.create_task(connection.recv())
await asyncio.sleep(0)
waiting.cancel()
await connection.send("after a wait that was cancelled")
said.append(await connection.recv())
await connection.close(1007, "r\u00e9ason" * 50)
said += [await ending(connection.recv()), await ending(connection.send(b""))]
connection = await connect("/close")
said += [await connection.recv(), await ending(connection.recv()), await ending(connection.recv())]
connection = await connect("/large")
said.append(await ending(connection.recv()))
many = await connect(max_size=10_000_000)
await many.send(b"x" * 3_000_000)
said.append(len(await many.recv()))
await many.abort()
said.append(await ending(many.recv()))
said
"""
    said = python_page.python(source, url=url)
    assert said[:5] == ["a", True, True, True, "after a wait that was cancelled"]
    assert said[5:7] == [[4007, "r\u00e9ason" * 17 + "r\u00e9a", False]] * 2
    assert said[7:10] == ["last", [4404, "gone", True], [4404, "gone", True]]
    assert said[10][0] == 1009
    assert "limits.max_message" in said[10][1]
    assert said[11:] == [3_000_000, [1006, "", False]]
    assert {ends.get(timeout=20) for _ in range(3)} == {1005, 4007, 4009}


@pytest.mark.interop
@pytest.mark.timeout(240)
def test_what_cannot_be_opened_is_a_connect_error(
    python_page: PythonPage, server: tuple[str, Queue[int]]
) -> None:
    source = f"""{_START}
said = [
    await ending(connect(headers=[("Authorization", "x")])),
    await ending(connect(subprotocols=["not a token"])),
    await ending(connect(open_timeout=0)),
]
url = nobody
[*said, await ending(connect())]
"""
    url, _ = server
    said = python_page.python(source, url=url, nobody=f"ws://127.0.0.1:{free_port()}")
    assert "headers" in said[0]
    assert "subprotocol" in said[1]
    assert "no answer within 0 s" in said[2]
    assert "could not be opened" in said[3]


_SERVER = """
import {createMergeableStore} from 'tinybase';
import {createFilePersister} from 'tinybase/persisters/persister-file';
import {createWsServer} from 'tinybase/synchronizers/synchronizer-ws-server';
import {WebSocketServer} from 'ws';
const server = new WebSocketServer({host: '127.0.0.1', port: PORT}, () => console.log('ready'));
createWsServer(server, (path) =>
  createFilePersister(createMergeableStore(), 'FOLDER/' + path.replaceAll('/', '-') + '.json'));
"""


@pytest.mark.interop
@pytest.mark.timeout(240)
def test_python_and_javascript_on_one_page_share_a_room_of_tinybase(
    python_page: PythonPage, tmp_path: Path
) -> None:
    port = free_port()
    url = f"ws://127.0.0.1:{port}/pets"
    program = _SERVER.replace("PORT", str(port)).replace("FOLDER", str(tmp_path))
    with NodeProgram(program) as node:
        node.wait_for_line("ready")
        source = """
globalThis.store = createMergeableStore();
globalThis.synchronizer = await createWsSynchronizer(store, new WebSocket(url));
await synchronizer.startSync();
store.setTables({pets: {fido: {price: 5, tags: ['a']}}});
"""
        python_page.js(source, url=url)
        source = """
import asyncio
from weft.mergeable import MergeableStore
from weft.providers import TinyBaseProvider
store, heard = MergeableStore(), asyncio.Event()
store.add_did_finish_transaction_listener(lambda *_: heard.set())
async def until(condition):
    async with asyncio.timeout(30):
        while not condition():
            heard.clear()
            await heard.wait()
provider = TinyBaseProvider(store, url)
await provider.connect()
await provider.wait_synced(20)
await until(lambda: store.has_row("pets", "fido"))
store.set_cell("pets", "fido", "price", 6)
store.set_value("open", None)
await provider.flush(20)
"""
        python_page.python(source, url=url)
        source = """
await new Promise((resolve) => {
  const look = () => store.hasValue('open') && resolve();
  store.addDidFinishTransactionListener(look);
  look();
});
store.delCell('pets', 'fido', 'tags');
"""
        python_page.js(source)
        source = (
            "await until(lambda: not store.has_cell('pets', 'fido', 'tags'))\nstore.document.content_text()"
        )
        ours = python_page.python(source)
        theirs = python_page.js("return JSON.stringify(store.getMergeableContent().map((part) => part[2]))")
        assert [part[2] for part in json.loads(ours)] == json.loads(theirs)
        python_page.python("await provider.close()")
        python_page.js("await synchronizer.destroy()")


@pytest.mark.interop
@pytest.mark.timeout(240)
def test_a_worker_keeps_a_store_and_has_connections(
    python_page: PythonPage, server: tuple[str, Queue[int]]
) -> None:
    source = f"""{_START}
from weft import Store
from weft.errors import StorageError
from weft.persisters import IndexedDbPersister, LocalPersister, OpfsPersister
said = []
for kind in (IndexedDbPersister, OpfsPersister):
    async with kind(Store().set_value("v", [None, 1]), "worker") as persister:
        await persister.save()
    async with kind(Store(), "worker") as persister:
        await persister.load()
        said.append(persister.get_store().get_json())
try:
    LocalPersister(Store(), "worker")
except StorageError as error:
    said.append(str(error))
connection = await connect()
await connection.send("x")
said.append(await connection.recv())
await connection.close()
"\\n".join(said)
"""
    start = """
const worker = new Worker('page_worker.mjs', {type: 'module'});
worker.postMessage({source: program, args: {url}});
const {data} = await new Promise((resolve) => (worker.onmessage = resolve));
worker.terminate();
return data;
"""
    answer = python_page.js(start, program=source, url=server[0])
    content = '[{},{"v":"\ufffd[null,1]"}]'
    no_storage = (
        "there is no localStorage here, as in every worker: IndexedDbPersister and OpfsPersister work in one"
    )
    assert answer == {"ok": "\n".join([content, content, no_storage, "x"])}


@pytest.mark.interop
@pytest.mark.timeout(240)
def test_a_page_connects_to_weft_and_comes_again_when_it_was_killed(
    python_page: PythonPage, tmp_path: Path
) -> None:
    port = free_port()
    source = """
import asyncio, weft
heard, opening = asyncio.Event(), weft.connect(f"tinybase+{url}")
store = await opening.__aenter__()
store.add_did_finish_transaction_listener(lambda *_: heard.set())
await store.sync.wait_synced(20)
store.set_cell("pets", "fido", "price", 5)
await store.sync.flush(20)
"""
    start = """
globalThis.store = createMergeableStore();
globalThis.synchronizer = await createWsSynchronizer(store, new WebSocket(url));
await synchronizer.startSync();
await new Promise((resolve) => {
  const look = () => store.getCell('pets', 'fido', 'price') === wanted && resolve();
  store.addDidFinishTransactionListener(look);
  look();
});
await synchronizer.destroy();
"""
    url = f"ws://127.0.0.1:{port}/farm"
    with WeftServe(tmp_path / "weft.sqlite3", port=port) as server:
        python_page.python(source, url=url)
        python_page.js(start, url=url, wanted=5)
        server.kill()
    python_page.python("store.set_cell('pets', 'fido', 'price', 6)\nNone")
    with WeftServe(tmp_path / "weft.sqlite3", port=port):
        python_page.python("await store.sync.flush(60)", timeout=80)
        python_page.js(start, url=url, wanted=6)
        python_page.python("await opening.__aexit__(None, None, None)")
