// A TinyBase Store with one of TinyBase's persisters, told what to do by JSON lines.
//
//   node persister_peer.mjs <kind> <json of options>
//
// The option "mergeable", an id, makes a MergeableStore.
//
// In (stdin):   {"on": "store" | "persister", "call": "setCell", "args": ["pets", "fido", "price", 5]}
// Out (stdout): {"ok": result} or {"error": message}, one line for each; what persisters ignore goes into "ignored".
// The process ends when stdin does. tests/support/persister_peer.py is the other half.
import readline from 'node:readline';
import {createMergeableStore, createStore} from 'tinybase';

const [kind, json] = process.argv.slice(2);
const options = JSON.parse(json);
const store = options.mergeable ? createMergeableStore(options.mergeable) : createStore();
let ignored = [];
let client;
const ignore = (error) => ignored.push(String(error?.message ?? error));

const makers = {
  file: async () => (await import('tinybase/persisters/persister-file')).createFilePersister(store, options.path, ignore),
  remote: async () =>
    (await import('tinybase/persisters/persister-remote')).createRemotePersister(
      store, options.url, options.url, options.seconds, ignore,
    ),
  pg: async () => {
    const {default: pg} = await import('pg');
    const {createPgPersister} = await import('tinybase/persisters/persister-pg');
    client = new pg.Client({connectionString: options.dsn});
    await client.connect();
    return createPgPersister(store, client, options.config, undefined, ignore);
  },
  // The database is this process's own, and others reach it through the port.
  pglite: async () => {
    const {PGlite} = await import('@electric-sql/pglite');
    const {PGLiteSocketServer} = await import('@electric-sql/pglite-socket');
    const {createPglitePersister} = await import('tinybase/persisters/persister-pglite');
    const db = await PGlite.create();
    await new PGLiteSocketServer({db, host: '127.0.0.1', port: options.port, maxConnections: 50}).start();
    return createPglitePersister(store, db, options.config, undefined, ignore);
  },
  libsql: async () => {
    const {createClient} = await import('@libsql/client');
    const {createLibSqlPersister} = await import('tinybase/persisters/persister-libsql');
    const client = createClient({url: options.url ?? `file:${options.path}`});
    if (options.path) await client.execute('PRAGMA busy_timeout=5000');
    return createLibSqlPersister(store, client, options.config, undefined, ignore);
  },
  // TinyBase's SQLite persister as it is for those of its drivers that take a MergeableStore.
  sqlite: async () => {
    const {createClient} = await import('@libsql/client');
    const {createCustomSqlitePersister} = await import('tinybase/persisters');
    const db = createClient({url: `file:${options.path}`});
    await db.execute('PRAGMA busy_timeout=5000');
    const on = (target) => async (sql, args) => (await target.execute({sql, args: args ?? []})).rows;
    const inTransaction = async (actions) => {
      const transaction = await db.transaction('write');
      try {
        const result = await actions(on(transaction));
        await transaction.commit();
        return result;
      } finally {
        transaction.close();
      }
    };
    const nothing = () => undefined;
    return createCustomSqlitePersister(
      store, options.config, on(db), () => nothing, nothing, undefined, ignore, nothing, 3, db, 'getDb', undefined, inTransaction,
    );
  },
};

const persister = await makers[kind]();
const targets = {store, persister};
if (options.mergeable) {
  // What its persisters write: they get cells as they are stored, and JSON knows no undefined.
  const {createCustomPersister} = await import('tinybase/persisters');
  let text;
  const set = async (getContent) => {
    text = JSON.stringify(getContent(), (_, value) => (value === undefined ? '\uFFFC' : value));
  };
  const writer = createCustomPersister(store, async () => undefined, set, () => undefined, () => undefined, ignore, 3);
  targets.text = {get: async () => (await writer.save(), text)};
}
// Persisters and Stores are fluent: their own self is no result.
const plain = (result) =>
  result === undefined || result === store || result === persister ? null : result;

for await (const line of readline.createInterface({input: process.stdin})) {
  const {on, call, args} = JSON.parse(line);
  let answer;
  try {
    answer = {ok: plain(await targets[on][call](...args)), ignored};
    ignored = [];
  } catch (error) {
    answer = {error: String(error?.stack ?? error)};
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
await persister.destroy();
await client?.end?.();
process.exit(0);
