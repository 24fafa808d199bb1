// A Node y-websocket server on a free loopback port. Prints one JSON line with its port, then serves until
// stdin ends. The documents and the protocol are those of @y/websocket-server; only the socket is opened here.
import http from 'node:http';
import {setupWSConnection} from '@y/websocket-server/utils';
import {WebSocketServer} from 'ws';

const server = http.createServer((_request, response) => response.writeHead(200).end('ok'));
const sockets = new WebSocketServer({server});
sockets.on('connection', setupWSConnection);

server.listen(Number(process.argv[2] ?? 0), '127.0.0.1', () => {
  process.stdout.write(`${JSON.stringify({event: 'listening', port: server.address().port})}\n`);
});

process.stdin.resume();
process.stdin.on('end', () => process.exit(0));
