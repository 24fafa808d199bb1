// The receiving end of the one-hop measurement: a TinyBase Store kept in a Yjs document, on a y-websocket
// provider. Arguments: server URL, room. Prints {"ready": true} once synced, then for each change of the cell that the
// other side writes {"value": n, "ns": "..."} with the time at which the Store's listener was called.
// process.hrtime and Python's time.monotonic_ns both read CLOCK_MONOTONIC on Linux, so the two can be compared.
import {createStore} from 'tinybase';
import {createYjsPersister} from 'tinybase/persisters/persister-yjs';
import {WebSocket} from 'ws';
import {WebsocketProvider} from 'y-websocket';
import * as Y from 'yjs';

const [url, room] = process.argv.slice(2);
const doc = new Y.Doc();
const store = createStore();
const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);

store.addCellListener('hop', 'row', 'cell', (_store, _table, _row, _cell, value) =>
  say({value, ns: process.hrtime.bigint().toString()}),
);

const provider = new WebsocketProvider(url, room, doc, {WebSocketPolyfill: WebSocket, disableBc: true});
provider.once('sync', async () => {
  const persister = createYjsPersister(store, doc);
  await persister.startAutoLoad();
  await persister.startAutoSave();
  say({ready: true});
});

process.stdin.resume();
process.stdin.on('end', () => process.exit(0));
