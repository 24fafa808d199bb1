// What yjs and TinyBase with createYjsPersister take for the workload of benchmarks/mirror.py. Prints one JSON
// object. Run with --expose-gc; argument 2 is a file with a 100,000-cell update in TinyBase's layout.
import {readFileSync} from 'node:fs';
import {createStore} from 'tinybase';
import {createYjsPersister} from 'tinybase/persisters/persister-yjs';
import * as Y from 'yjs';
import {check, measure, summary} from './lib/measure.mjs';
import {CELLS_PER_ROW, cellIds, rowIds, TABLE, tables} from './lib/workload.mjs';

const CELLS = 100_000;
const SIZES = [1_000, 10_000, 100_000];
const options = JSON.parse(process.argv[2] ?? '{}'); // {warmup, rounds, warmup_each, rounds_each}
const update = readFileSync(process.argv[3]);

const turn = () => new Promise((resolve) => setImmediate(resolve));
const clock = () => Number(process.hrtime.bigint()) / 1e6;

// A Store and a document kept equal both ways, as an application has them.
const live = async ({autoSave = true} = {}) => {
  const doc = new Y.Doc();
  const store = createStore();
  const persister = createYjsPersister(store, doc, 'tinybase', (error) => {
    throw error;
  });
  await persister.startAutoLoad();
  if (autoSave) await persister.startAutoSave();
  await turn();
  return {doc, store, persister};
};

const results = {};

results.apply_update_only = await measure(
  () => new Y.Doc(),
  (doc) => Y.applyUpdate(doc, update),
  options,
);
results.apply_update_and_to_json = await measure(
  () => new Y.Doc(),
  (doc) => {
    Y.applyUpdate(doc, update);
    check(Object.keys(doc.getMap('tinybase').toJSON().t[TABLE]).length === CELLS / CELLS_PER_ROW, 'the document is full');
  },
  options,
);
results.apply_update_into_store = await measure(
  async () => {
    // Auto-save would have made containers of this peer's own, and the received ones might lose against them.
    const peer = await live({autoSave: false});
    peer.heard = new Promise((resolve) => peer.store.addTablesListener(resolve));
    return peer;
  },
  async ({doc, store, heard}) => {
    Y.applyUpdate(doc, update);
    await heard;
    check(store.getRowCount(TABLE) === CELLS / CELLS_PER_ROW, 'the Store is full');
  },
  options,
);
results.set_tables_into_document = await measure(
  () => live(),
  async ({doc, store}) => {
    const written = new Promise((resolve) => doc.once('afterTransaction', resolve));
    store.setTables(tables(CELLS));
    await written;
    check(doc.getMap('tinybase').get('t').get(TABLE).size === CELLS / CELLS_PER_ROW, 'the document is full');
  },
  options,
);

// The time from the call until the document's transaction with the change has ended; then everything the persister
// has queued runs out before the next one, which is not timed.
const timeUntilWritten = async ({doc, store}, change, verify, undo) => {
  const {warmup_each: warmup = 20, rounds_each: rounds = 200} = options;
  const times = [];
  for (let round = 0; round < warmup + rounds; round++) {
    let end;
    const written = new Promise((resolve) => {
      doc.once('afterTransaction', () => {
        end = clock();
        resolve();
      });
    });
    const start = clock();
    change(store, round);
    await written;
    if (round >= warmup) times.push(end - start);
    for (let i = 0; i < 5; i++) await turn();
    verify(round);
    undo?.(store, round);
    for (let i = 0; i < 5; i++) await turn();
  }
  return summary(times);
};

for (const size of SIZES) {
  const peer = await live();
  peer.store.setTables(tables(size));
  for (let i = 0; i < 20; i++) await turn();
  const rows = rowIds(size);
  const map = () => peer.doc.getMap('tinybase').get('t').get(TABLE);
  check(map().size === rows.length, 'the document is full');
  results[`one_cell_${size}`] = await timeUntilWritten(
    peer,
    (store, round) => store.setCell(TABLE, rows[(round * 7) % rows.length], cellIds[round % CELLS_PER_ROW], -1 - round),
    (round) =>
      check(map().get(rows[(round * 7) % rows.length]).get(cellIds[round % CELLS_PER_ROW]) === -1 - round, 'written'),
  );
  const row = Object.fromEntries(cellIds.map((cell, i) => [cell, i]));
  results[`one_row_${size}`] = await timeUntilWritten(
    peer,
    (store, round) => store.setRow(TABLE, `new${round}`, row),
    (round) => check(map().get(`new${round}`).size === CELLS_PER_ROW, 'written'),
    (store, round) => store.delRow(TABLE, `new${round}`),
  );
}
process.stdout.write(`${JSON.stringify(results)}\n`);
