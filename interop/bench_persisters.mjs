// What TinyBase's persisters take for the workload of benchmarks/persisters.py. Prints one JSON object of
// {case: {min, median, rounds}} in milliseconds. Run with --expose-gc.
//
//   node bench_persisters.mjs <json of {warmup, rounds, warmup_each, rounds_each}> <empty folder> whole
//   node bench_persisters.mjs <json of the same> <empty folder> cells <dsn of PostgreSQL> <prefix of tables there>
import {join} from 'node:path';
import {isDeepStrictEqual} from 'node:util';
import {createClient} from '@libsql/client';
import pg from 'pg';
import {createMergeableStore, createStore} from 'tinybase';
import {createFilePersister} from 'tinybase/persisters/persister-file';
import {createLibSqlPersister} from 'tinybase/persisters/persister-libsql';
import {createPgPersister} from 'tinybase/persisters/persister-pg';
import {check, measure, measureEach} from './lib/measure.mjs';
import {cellIds, rowIds, SPREAD, spread, spreadIds} from './lib/workload.mjs';

const CELLS = 100_000;
const SIZES = [1_000, CELLS];
const [json, folder, part, dsn, prefix] = process.argv.slice(2);
const options = JSON.parse(json);
const each = {warmup: options.warmup_each, rounds: options.rounds_each};

let files = 0;
const newPath = () => join(folder, `place${files++}`);

// What a persister ignores would make it fast.
const fail = (error) => {
  console.error(error);
  process.exit(1);
};

const tabular = (names) => ({
  mode: 'tabular',
  tables: {
    load: Object.fromEntries(names.map((name, i) => [name, spreadIds[i]])),
    save: Object.fromEntries(names.map((name, i) => [spreadIds[i], name])),
  },
});

const libsql = (config) => (store, path) => {
  const client = createClient({url: `file:${path}`});
  return createLibSqlPersister(store, client, config, undefined, fail);
};

const places = {
  file: (store, path) => createFilePersister(store, path, fail),
  mergeable: (store, path) => createFilePersister(store, path, fail),
  sqlite_json: libsql({mode: 'json'}),
  sqlite_tables: libsql(tabular(spreadIds)),
};

const saveAndLoad = async (make, newStore) => {
  const filled = newStore().setTables(spread(CELLS));
  const save = await measure(
    () => make(filled, newPath()),
    (persister) => persister.save(),
    options,
  );
  const path = newPath();
  await make(filled, path).save();
  let loaded;
  const load = await measure(
    () => make((loaded = newStore()), path),
    (persister) => persister.load(),
    options,
  );
  check(isDeepStrictEqual(loaded.getTables(), filled.getTables()), 'the Store loaded is the Store saved');
  return {save, load};
};

const changeCells = async (size, newPersister, newStore = createStore) => {
  const store = newStore().setTables(spread(size));
  const rows = rowIds(size / SPREAD);
  const persister = await newPersister(store);
  await persister.startAutoSave();
  let saved;
  persister.addStatusListener((_persister, status) => status === 0 && saved());
  const times = await measureEach(
    (round) =>
      new Promise((resolve) => {
        saved = resolve;
        store.setCell(
          spreadIds[round % SPREAD],
          rows[(round * 7) % rows.length],
          cellIds[round % cellIds.length],
          -1 - round,
        );
      }),
    each,
  );
  const other = newStore();
  await (await newPersister(other)).load();
  check(isDeepStrictEqual(other.getTables(), store.getTables()), `the changed cells of ${size} are in the database`);
  return times;
};

const results = {};
const parts = {
  whole: async () => {
    for (const [place, make] of Object.entries(places)) {
      const {save, load} = await saveAndLoad(make, place === 'mergeable' ? createMergeableStore : createStore);
      results[`${place}_save`] = save;
      results[`${place}_load`] = load;
    }
  },
  cells: async () => {
    for (const size of SIZES) {
      const path = newPath();
      results[`sqlite_cell_${size}`] = await changeCells(size, (store) => places.sqlite_tables(store, path));
      const file = newPath();
      results[`mergeable_cell_${size}`] = await changeCells(
        size,
        (store) => places.mergeable(store, file),
        createMergeableStore,
      );
      const config = tabular(spreadIds.map((name) => `${prefix}_${size}_${name}`));
      results[`postgres_cell_${size}`] = await changeCells(size, async (store) => {
        const client = new pg.Client({connectionString: dsn});
        await client.connect();
        return createPgPersister(store, client, config, undefined, fail);
      });
    }
  },
};

await parts[part]();
process.stdout.write(`${JSON.stringify(results)}\n`, () => process.exit(0));
