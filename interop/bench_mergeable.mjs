// What TinyBase's MergeableStore takes for the workload of benchmarks/mergeable.py. Prints one JSON object of
// {case: {min, median, rounds}} in milliseconds. Run with --expose-gc.
import {createMergeableStore} from 'tinybase/mergeable-store';
import {check, measure} from './lib/measure.mjs';
import {cellIds, rowIds, TABLE, tables} from './lib/workload.mjs';

const {cells, ...options} = JSON.parse(process.argv[2]); // {warmup, rounds, cells}

const rows = rowIds(cells);
const filled = () => createMergeableStore('filled').setTables(tables(cells));
const content = filled().getMergeableContent();

const setEach = (store) => {
  let value = 0;
  for (const row of rows) for (const cell of cellIds) store.setCell(TABLE, row, cell, value++);
};

const cases = {
  set: [() => createMergeableStore(), setEach],
  change: [
    filled,
    (store) => {
      for (const row of rows) for (const cell of cellIds) store.setCell(TABLE, row, cell, 'changed');
    },
  ],
  set_in_one: [() => createMergeableStore(), (store) => store.transaction(() => setEach(store))],
  merge: [
    () => createMergeableStore(),
    (store) => {
      store.applyMergeableChanges(content);
      check(store.getCell(TABLE, 'r0', 'c0') === 0, 'the content was merged');
    },
  ],
  content: [filled, (store) => check(store.getMergeableContent().length === 2, 'there is content')],
};

const times = {};
for (const [name, [prepare, run]] of Object.entries(cases)) times[name] = await measure(prepare, run, options);
process.stdout.write(`${JSON.stringify(times)}\n`);
