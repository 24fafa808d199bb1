// Resident memory that 100,000 cells take in TinyBase: the growth of the process over several Stores, collected,
// divided by their number. Prints {"bytes": n}. Run with --expose-gc; the process is this measurement's own.
import {createStore} from 'tinybase';
import {createMergeableStore} from 'tinybase/mergeable-store';
import {check} from './lib/measure.mjs';
import {tables} from './lib/workload.mjs';

const {mergeable, cells} = JSON.parse(process.argv[2] ?? '{"cells":100000}');
const create = () => (mergeable ? createMergeableStore() : createStore());
const STORES = 5;

const settle = async () => {
  for (let i = 0; i < 5; i++) {
    globalThis.gc();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
};

// Row ids of each Store are its own: equal ones would be one string in V8 however many Stores there are.
const texts = Array.from({length: STORES + 1}, (_, i) => JSON.stringify(tables(cells, `${i}r`)));
// The first Store warms the code up, and what it takes once is not counted.
const stores = [create().setTables(JSON.parse(texts[0]))];
await settle();
const before = process.memoryUsage.rss();
for (let i = 0; i < STORES; i++) stores.push(create().setTables(JSON.parse(texts[i + 1])));
await settle();
const after = process.memoryUsage.rss();
check(stores.length === STORES + 1, 'the Stores are alive');
process.stdout.write(`${JSON.stringify({bytes: (after - before) / STORES})}\n`);
