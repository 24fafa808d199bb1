"""Three JavaScript programs share a table over a weft server: by Yjs, by automerge-repo and by TinyBase.

The server bridges the room ``farm``: the same tables are in a Yjs, an Automerge and a mergeable document, so
each program uses what it has, here TinyBase with its Yjs persister, its Automerge persister and its own
synchronizer. ``weft serve --bridge farm`` is the same server.

It needs Node and the packages of interop/ (``npm ci`` there), and ``weft[server,automerge]``.

    python examples/bridge.py
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from weft.protocols.automerge_repo import document_url
from weft.server import MemoryRoomStorage, Server, allow_all, bridge_document_id

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

INTEROP = Path(__file__).resolve().parents[1] / "interop"

YJS = """
import {createStore} from 'tinybase';
import {createYjsPersister} from 'tinybase/persisters/persister-yjs';
import {WebSocket} from 'ws'; // a browser has its own
import {WebsocketProvider} from 'y-websocket';
import * as Y from 'yjs';

const store = createStore();
store.addCellListener('pets', 'felix', 'species', (_store, _table, _row, _cell, value) =>
  console.log(`the Yjs client sees that felix is a ${value}`),
);
const doc = new Y.Doc();
const provider = new WebsocketProvider(process.argv[1], 'farm', doc, {WebSocketPolyfill: WebSocket});
provider.once('sync', async () => {
  await createYjsPersister(store, doc).startAutoPersisting();
  store.setRow('pets', 'fido', {species: 'dog', colors: ['brown', 'white']});
});
"""

AUTOMERGE = """
import {Repo} from '@automerge/automerge-repo';
import {WebSocketClientAdapter} from '@automerge/automerge-repo-network-websocket';
import {createStore} from 'tinybase';
import {createAutomergePersister} from 'tinybase/persisters/persister-automerge';

const store = createStore();
store.addRowListener('pets', 'fido', () => {
  const {species, colors} = store.getRow('pets', 'fido');
  if (!species || !colors) return;
  console.log(`the Automerge client sees that fido is a ${colors.join(' and ')} ${species}`);
});
const repo = new Repo({network: [new WebSocketClientAdapter(process.argv[1])]});
const handle = await repo.find(process.argv[2]);
await createAutomergePersister(store, handle).startAutoPersisting();
store.setRow('pets', 'felix', {species: 'cat'});
"""


TINYBASE = """
import {createMergeableStore} from 'tinybase';
import {createWsSynchronizer} from 'tinybase/synchronizers/synchronizer-ws-client';
import {WebSocket} from 'ws'; // a browser has its own

const store = createMergeableStore();
store.addTableListener('pets', () => {
  const {fido, felix} = store.getTable('pets');
  if (fido?.species && felix?.species) {
    console.log(`the TinyBase client sees a ${fido.species} and a ${felix.species}`);
  }
});
const synchronizer = await createWsSynchronizer(store, new WebSocket(`${process.argv[1]}/farm`));
await synchronizer.startSync();
store.setCell('pets', 'fido', 'weight', 12.5);
"""


@asynccontextmanager
async def node(program: str, *arguments: str) -> AsyncIterator[asyncio.StreamReader]:
    """A JavaScript program that runs as long as the block does, and what it prints."""
    process = await asyncio.create_subprocess_exec(
        "node", "--input-type=module", "-e", program, *arguments, cwd=INTEROP, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        yield process.stdout
    finally:
        process.kill()
        await process.wait()


async def main() -> None:
    async with Server(auth=allow_all, storage=MemoryRoomStorage(), port=0, bridge=["farm"]) as server:
        url = document_url(bridge_document_id("farm"))
        async with (
            node(YJS, server.url) as yjs,
            node(AUTOMERGE, server.url, url) as automerge,
            node(TINYBASE, server.url) as tinybase,
        ):
            for output in (yjs, automerge, tinybase):
                print((await asyncio.wait_for(output.readline(), 30)).decode(), end="")


if __name__ == "__main__":
    asyncio.run(main())
