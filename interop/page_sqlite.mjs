// TinyBase's persister on sqlite-wasm, for a page; sqlite3.wasm lies beside it.
import sqlite3InitModule from '@sqlite.org/sqlite-wasm';
import {createSqliteWasmPersister} from 'tinybase/persisters/persister-sqlite-wasm';

const sqlite3 = await sqlite3InitModule();

const using = async (database, store, config, use) => {
  const persister = createSqliteWasmPersister(store, sqlite3, database, config);
  await use(persister);
  await persister.destroy();
};

// Save a Store, and give the bytes of the database.
export const save = async (store, config) => {
  const database = new sqlite3.oo1.DB();
  await using(database, store, config, (persister) => persister.save());
  const bytes = sqlite3.capi.sqlite3_js_db_export(database);
  database.close();
  return bytes;
};

// Load a Store from the bytes of a database.
export const load = async (store, config, bytes) => {
  const database = new sqlite3.oo1.DB();
  const flags = sqlite3.capi.SQLITE_DESERIALIZE_FREEONCLOSE | sqlite3.capi.SQLITE_DESERIALIZE_RESIZEABLE;
  const pointer = sqlite3.wasm.allocFromTypedArray(bytes);
  const done = sqlite3.capi.sqlite3_deserialize(database, 'main', pointer, bytes.length, bytes.length, flags);
  database.checkRc(done);
  await using(database, store, config, (persister) => persister.load());
  database.close();
};
