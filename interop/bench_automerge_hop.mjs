// Small changes of one document on the way between two automerge-repo peers. process.hrtime and Python's
// time.monotonic_ns both read CLOCK_MONOTONIC on Linux, so that times of two processes can be compared.
//
//   node bench_automerge_hop.mjs serve <cells>
//     A Repo with WebSocketServerAdapter and a document of so many cells. Prints {"port", "url"}; then, each time the
//     last of the cells has changed, {"value", "ns", "all"}: its value, when it was there, and whether all are the same.
//   node bench_automerge_hop.mjs send <cells> <server's URL> <document's URL>
//     A Repo with WebSocketClientAdapter. For each line {"value", "spread"} on stdin it sets every cell to the value, one
//     change each, in one go or one in each turn of the loop, and prints {"ns"}: when it began.
import {Repo} from '@automerge/automerge-repo';
import {WebSocketClientAdapter, WebSocketServerAdapter} from '@automerge/automerge-repo-network-websocket';
import {createInterface} from 'node:readline';
import {WebSocketServer} from 'ws';
import {cellIds, rowIds, TABLE} from './lib/workload.mjs';

const PER_ROW = 5;
const [role, cells, serverUrl, documentUrl] = process.argv.slice(2);
const rows = rowIds(Number(cells), 'r', PER_ROW);
const ids = cellIds.slice(0, PER_ROW);
const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);
const now = () => process.hrtime.bigint().toString();
const turn = () => new Promise((resolve) => setImmediate(resolve));

const serve = async () => {
  const server = new WebSocketServer({host: '127.0.0.1', port: 0});
  await new Promise((resolve) => server.once('listening', resolve));
  const repo = new Repo({network: [new WebSocketServerAdapter(server)]});
  const table = Object.fromEntries(rows.map((rowId) => [rowId, Object.fromEntries(ids.map((cellId) => [cellId, 0]))]));
  const handle = repo.create({tinybase: {t: {[TABLE]: table}, v: {}}});
  let last = 0;
  handle.on('heads-changed', ({doc}) => {
    const {t} = doc.tinybase;
    const value = t[TABLE][rows.at(-1)][ids.at(-1)];
    if (value === last) return;
    const ns = now();
    last = value;
    say({value, ns, all: rows.every((rowId) => ids.every((cellId) => t[TABLE][rowId][cellId] === value))});
  });
  say({port: server.address().port, url: handle.url});
};

const send = async () => {
  const repo = new Repo({network: [new WebSocketClientAdapter(serverUrl)]});
  const handle = await repo.find(documentUrl);
  say({ready: true});
  for await (const line of createInterface(process.stdin)) {
    const {value, spread} = JSON.parse(line);
    const ns = now();
    for (const rowId of rows) {
      for (const cellId of ids) {
        handle.change((doc) => {
          doc.tinybase.t[TABLE][rowId][cellId] = value;
        });
        if (spread) await turn();
      }
    }
    say({ns});
  }
};

process.stdin.resume();
process.stdin.on('end', () => process.exit(0));
await {serve, send}[role]();
