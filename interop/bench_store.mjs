// What TinyBase's Store takes for the workload of benchmarks/store.py. Prints one JSON object of
// {case: {min, median, rounds}} in milliseconds. Run with --expose-gc.
import {createStore} from 'tinybase';
import {check, measure} from './lib/measure.mjs';
import {cellIds, rowIds, schema, shuffled, TABLE, tables} from './lib/workload.mjs';

const CELLS = 100_000;
const SORT_ROWS = 20_000;
const CHANGED_CELLS = 10_000;
const options = JSON.parse(process.argv[2] ?? '{}'); // {warmup, rounds}

const rows = rowIds(CELLS);
const content = tables(CELLS);
const filled = () => createStore().setTables(content);

const setEach = (store) => {
  let value = 0;
  for (const row of rows) for (const cell of cellIds) store.setCell(TABLE, row, cell, value++);
};

const cases = {
  set_cell_separately: [createStore, setEach],
  set_cell_in_one_transaction: [createStore, (store) => store.transaction(() => setEach(store))],
  set_cell_with_wildcard_listener: [
    () => {
      const store = createStore();
      let calls = 0;
      store.addCellListener(null, null, null, () => calls++);
      return [store, () => calls];
    },
    ([store, calls]) => {
      setEach(store);
      check(calls() === CELLS, 'the listener was called for every cell');
    },
  ],
  set_cell_with_schema: [() => createStore().setTablesSchema(schema), setEach],
  set_cell_with_listener_elsewhere: [
    () => {
      const store = createStore();
      store.addCellListener('other', 'row', 'cell', () => check(false, 'nobody writes there'));
      return store;
    },
    setEach,
  ],
  set_tables: [createStore, (store) => store.setTables(content)],
  json_out_and_in: [filled, (store) => check(createStore().setJson(store.getJson()).hasTable(TABLE), 'JSON went in')],
  apply_changes_10k: [
    () => {
      const changed = {};
      for (const row of rows.slice(0, CHANGED_CELLS / cellIds.length)) {
        changed[row] = Object.fromEntries(cellIds.map((cell) => [cell, -1]));
      }
      return [filled(), [{[TABLE]: changed}, {}, 1]];
    },
    ([store, changes]) => {
      store.applyChanges(changes);
      check(store.getCell(TABLE, rows[0], 'c0') === -1, 'changes were applied');
    },
  ],
  get_row: [
    filled,
    (store) => {
      for (const row of rows) store.getRow(TABLE, row);
    },
  ],
  get_table: [filled, (store) => check(Object.keys(store.getTable(TABLE)).length === rows.length, 'the table is whole')],
  get_sorted_row_ids_20k: [
    () => {
      const store = createStore();
      const table = {};
      shuffled(SORT_ROWS).forEach((value, i) => (table[`r${i}`] = {c: value}));
      return store.setTables({[TABLE]: table});
    },
    (store) => check(store.getSortedRowIds(TABLE, 'c').length === SORT_ROWS, 'all rows were sorted'),
  ],
  get_cell: [
    filled,
    (store) => {
      for (const row of rows) for (const cell of cellIds) store.getCell(TABLE, row, cell);
    },
  ],
};

const results = {};
for (const [name, [prepare, run]] of Object.entries(cases)) {
  results[name] = await measure(prepare, run, options);
}
process.stdout.write(`${JSON.stringify(results)}\n`);
