// Runs programs on real MergeableStores and tells the hashes after each step.
//
// Input: a list of programs per line (JSON). Output: per line, a list of traces in the same order. The programs
// are described in tests/differential/mergeable_programs.py, which is also their interpreter for weft.

import {createInterface} from 'node:readline';
import {createMiddleware} from 'tinybase/middleware';
import {createMergeableStore} from 'tinybase/mergeable-store';

const GONE = '\uFFFC';
const HIGHEST = 50;

const text = (thing) =>
  JSON.stringify(thing, (_key, value) => (value === undefined ? GONE : value));

// As TinyBase's synchronizers read: what is U+FFFC is undefined.
const restored = (thing) =>
  thing === GONE
    ? undefined
    : Array.isArray(thing)
      ? thing.map(restored)
      : thing !== null && typeof thing === 'object'
        ? Object.fromEntries(Object.entries(thing).map(([key, value]) => [key, restored(value)]))
        : thing;

const read = (json) => restored(JSON.parse(json));
const camel = (name) => name.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase());
const clamp = (cell) => (typeof cell === 'number' && cell > HIGHEST ? HIGHEST : cell);

// TinyBase tells of rows without cells, which then count in other hashes each time that they come.
const withoutEmpty = ([[tables, ...tablesRest], values, one]) => {
  for (const [t, [rows]] of Object.entries(tables)) {
    for (const [r, [cells]] of Object.entries(rows)) {
      if (Object.keys(cells).length === 0) {
        delete rows[r];
      }
    }
    if (Object.keys(rows).length === 0) {
      delete tables[t];
    }
  }
  return [[tables, ...tablesRest], values, one];
};

class Thrown extends Error {}

const runProgram = ({stores: options, ops}) => {
  const now = options.map(({now}) => now);
  const messages = options.map(() => []);
  const stores = options.map(({id, schema, mutator, middleware}, index) => {
    const store = createMergeableStore(id, () => now[index]);
    if (schema) {
      store.setSchema(...schema);
    }
    if (mutator) {
      store.addCellListener(
        null, null, null,
        (_store, t, r, c, cell) => {
          if (clamp(cell) !== cell) {
            store.setCell(t, r, c, clamp(cell));
          }
        },
        true,
      );
    }
    if (middleware) {
      createMiddleware(store).addWillSetCellCallback((_t, _r, _c, cell) => clamp(cell));
    }
    store.addDidFinishTransactionListener(() => {
      const changes = text(withoutEmpty(store.__[2]()));
      if (changes !== '[[{}],[{}],1]') {
        messages[index].push(changes);
      }
    });
    return store;
  });

  const run = (store, [name, ...args]) => {
    if (name === 'transaction') {
      const [end, inner] = args;
      try {
        store.transaction(
          () => {
            inner.forEach((op) => run(store, op));
            if (end === 'throw') {
              throw new Thrown();
            }
          },
          () => end === 'rollback',
        );
      } catch (error) {
        if (!(error instanceof Thrown)) {
          throw error;
        }
      }
    } else {
      store[camel(name)](...restored(args));
    }
  };

  // What synchronizers say to each other, one way.
  const diff = (from, to) => {
    const [tables, tableHashes] = from.getMergeableTableDiff(to.getMergeableTableHashes());
    const [rows, rowHashes] = from.getMergeableRowDiff(to.getMergeableRowHashes(tableHashes));
    const cells = from.getMergeableCellDiff(to.getMergeableCellHashes(rowHashes));
    const values = from.getMergeableValueDiff(to.getMergeableValueHashes());
    return [tables, rows, cells, values].map(text);
  };

  const trace = [];
  for (const [at, name, ...args] of ops) {
    const store = stores[at];
    if (name === 'tick') {
      now[at] += args[0];
    } else if (name === 'send') {
      stores[args[0]].__[4](read(text(store.__[1]())));
    } else if (name === 'replace') {
      stores[args[0]].__[3](read(text(store.__[1]())));
    } else if (name === 'deliver') {
      const sent = messages[at];
      if (sent.length > 0) {
        stores[args[0]].__[4](read(sent[args[1] % sent.length]));
      }
    } else if (name === 'merge') {
      store.__[4](read(args[0]));
    } else if (name === 'diff') {
      const [tables, rows, cells, values] = diff(store, stores[args[0]]);
      trace.push([tables, rows, cells, values]);
      for (const part of [tables, rows, cells]) {
        stores[args[0]].__[4]([read(part), [{}], 1]);
      }
      stores[args[0]].__[4]([[{}], read(values), 1]);
    } else {
      run(store, [name, ...args]);
    }
    trace.push(stores.map((store) => store.getMergeableContentHashes()));
  }
  stores.forEach((store, index) =>
    trace.push([text(store.__[1]()), store.getJson(), messages[index]]),
  );
  return trace;
};

for await (const line of createInterface({input: process.stdin})) {
  process.stdout.write(JSON.stringify(JSON.parse(line).map(runProgram)) + '\n');
}
