// A Hocuspocus server on a free loopback port, without extensions: rooms live in memory. Prints one JSON line with its
// port, then serves until stdin ends.
import {Server} from '@hocuspocus/server';

const server = new Server({port: 0, address: '127.0.0.1', quiet: true});
await server.listen();
process.stdout.write(`${JSON.stringify({event: 'listening', port: server.address.port})}\n`);

process.stdin.resume();
process.stdin.on('end', () => process.exit(0));
