// A process that holds JavaScript peers and does what it is told by JSON lines.
//
// In (stdin):   {"id": 1, "op": "store.call", "args": {"name": "a", "method": "setCell", "args": [...]}}
// Out (stdout): {"id": 1, "ok": result} or {"id": 1, "error": {"message": ..., "stack": ...}}, in any order.
// Values are tagged where JSON is too narrow (lib/wire.mjs). The process ends when stdin does.
// tests/support/node.py is the other half.
import readline from 'node:readline';
import {applicationCommands} from './lib/applications.mjs';
import {codecCommands} from './lib/codecs.mjs';
import {documentCommands} from './lib/documents.mjs';
import {liveCommands} from './lib/live_clients.mjs';
import {dropAllPeers} from './lib/peers.mjs';
import {socketCommands} from './lib/sockets.mjs';
import {pairCommands} from './lib/split_pairs.mjs';
import {storeCommands} from './lib/stores.mjs';
import {synchronizerCommands} from './lib/synchronizers.mjs';
import {textCommands} from './lib/texts.mjs';
import {updateCommands} from './lib/updates.mjs';
import {fromWire, toWire} from './lib/wire.mjs';

// Each y-websocket provider listens for the end of the process; many peers in one process are no leak.
process.setMaxListeners(0);

const commands = {
  ...applicationCommands,
  ...codecCommands,
  ...documentCommands,
  ...liveCommands,
  ...pairCommands,
  ...storeCommands,
  ...socketCommands,
  ...synchronizerCommands,
  ...textCommands,
  ...updateCommands,
  ping: () => process.versions.node,
  reset: dropAllPeers,
};

// Loading Automerge takes longer than all the rest, and a browser is another program: only who uses them waits.
const AUTOMERGE = /^(am|repo|ephemeral|presence)\./;
const find = async (op) => {
  let found = commands;
  if (AUTOMERGE.test(op)) found = (await import('./lib/automerge.mjs')).automergeCommands;
  else if (op.startsWith('hosted.')) found = (await import('./lib/hosted.mjs')).hostedCommands;
  else if (op.startsWith('page.')) found = (await import('./lib/browser.mjs')).browserCommands;
  if (!Object.hasOwn(found, op)) throw new Error(`no command named ${op}`);
  return found[op];
};

// What a library has to say on the console must not get between the answers.
console.log = console.info = console.debug = console.error;
const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);

const answer = async ({id, op, args}) => {
  try {
    const command = await find(op);
    say({id, ok: toWire(await command(fromWire(args ?? {})))});
  } catch (error) {
    say({id, error: {message: String(error?.message ?? error), stack: String(error?.stack ?? '')}});
  }
};

const lines = readline.createInterface({input: process.stdin, crlfDelay: Infinity});
lines.on('line', (line) => void answer(JSON.parse(line)));
lines.on('close', async () => {
  await dropAllPeers();
  process.exit(0);
});
