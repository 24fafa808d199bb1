// The JavaScript half of `weft demo`: a TinyBase Store in a Yjs document, joined to a room by y-websocket, as an
// application would do it. Usage: node demo_peer.mjs ws://127.0.0.1:1234 room
//
// In (stdin), JSON lines:   {"do": "set", "cell": [table, row, cell], "value": value} or {"do": "report"}
// Out (stdout), JSON lines: {"event": "ready"}, {"event": "cell", "cell": [...], "value": ..., "mine": bool},
//                           {"event": "tables", "tables": {...}}. The process ends when stdin does.
import readline from 'node:readline';
import {createStore} from 'tinybase';
import {createYjsPersister} from 'tinybase/persisters/persister-yjs';
import {WebSocket} from 'ws';
import {WebsocketProvider} from 'y-websocket';
import * as Y from 'yjs';

const [url, room] = process.argv.slice(2);
const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);

const doc = new Y.Doc();
const store = createStore();
const persister = createYjsPersister(store, doc);
let mine = false;
store.addCellListener(null, null, null, (_store, table, row, cell, value) =>
  // TinyBase's undefined, for a deleted cell, has no place in JSON.
  say({event: 'cell', cell: [table, row, cell], value: value ?? null, mine}),
);

const provider = new WebsocketProvider(url, room, doc, {disableBc: true, WebSocketPolyfill: WebSocket});
await new Promise((resolve) => provider.once('sync', resolve));
await persister.startAutoLoad();
await persister.startAutoSave();
say({event: 'ready'});

const lines = readline.createInterface({input: process.stdin, crlfDelay: Infinity});
lines.on('line', (line) => {
  const request = JSON.parse(line);
  if (request.do === 'set') {
    mine = true;
    store.setCell(...request.cell, request.value);
    mine = false;
  } else {
    say({event: 'tables', tables: store.getTables()});
  }
});
lines.on('close', async () => {
  provider.destroy();
  await persister.destroy();
  process.exit(0);
});
