// One of TinyBase's websocket servers on the loopback. Prints one JSON line with its port, then serves until stdin ends.
//   node tinybase_server.mjs PORT [store DIRECTORY | relay | simple] [FRAGMENT_SIZE]
// `store` keeps each path in a file; `relay` is a WsServer without stores of its own, `simple` a WsServerSimple.
import path from 'node:path';
import {createMergeableStore} from 'tinybase';
import {createFilePersister} from 'tinybase/persisters/persister-file';
import {createWsServer} from 'tinybase/synchronizers/synchronizer-ws-server';
import {createWsServerSimple} from 'tinybase/synchronizers/synchronizer-ws-server-simple';
import {WebSocketServer} from 'ws';

const [port, kind, ...rest] = process.argv.slice(2);
const directory = kind === 'store' ? rest.shift() : undefined;
const fragmentSize = rest.length > 0 ? Number(rest[0]) : undefined;

const sockets = new WebSocketServer({host: '127.0.0.1', port: Number(port)});
const persisterOf = (pathId) =>
  createFilePersister(createMergeableStore(), path.join(directory, `${encodeURIComponent(pathId)}.json`));
if (kind === 'simple') createWsServerSimple(sockets);
else createWsServer(sockets, kind === 'store' ? persisterOf : undefined, undefined, 1, fragmentSize);

sockets.on('listening', () => {
  process.stdout.write(`${JSON.stringify({event: 'listening', port: sockets.address().port})}\n`);
});

process.stdin.resume();
process.stdin.on('end', () => process.exit(0));
