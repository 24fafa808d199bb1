// What Automerge, and TinyBase with createAutomergePersister, take for the workload of benchmarks/automerge.py. Prints
// one JSON object of {case: {min, median, rounds}} in milliseconds. Run with --expose-gc.
//
//   node bench_automerge.mjs <json of {warmup, rounds, warmup_each, rounds_each}> <folder> <shrink> plain|tinybase
//
// The folder holds number.bin and text.bin, saved documents in TinyBase's layout: 100,000 / shrink numbers, and a tenth
// as many texts.
import * as A from '@automerge/automerge';
import {Repo} from '@automerge/automerge-repo';
import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {isDeepStrictEqual} from 'node:util';
import {createStore} from 'tinybase';
import {createAutomergePersister} from 'tinybase/persisters/persister-automerge';
import {check, measure, summary} from './lib/measure.mjs';
import {cellIds, rowIds, TABLE, tables} from './lib/workload.mjs';

const PER_ROW = 5;
const ROOT = 'tinybase';
const [json, folder, shrink, part] = process.argv.slice(2);
const options = JSON.parse(json);
const sizes = [1_000, 10_000, 100_000].map((size) => size / Number(shrink));
const most = sizes.at(-1);

const clock = () => Number(process.hrtime.bigint()) / 1e6;
const turn = () => new Promise((resolve) => setImmediate(resolve));
const fail = (error) => {
  console.error(error);
  process.exit(1);
};

const numbers = (cells) => tables(cells, 'r', PER_ROW);
const texts = (cells) => {
  const content = numbers(cells);
  for (const row of Object.values(content[TABLE]))
    for (const cellId of Object.keys(row)) row[cellId] = `text of ${row[cellId]}`;
  return content;
};
const same = (found, content) =>
  isDeepStrictEqual(createStore().setTables(found).getTables(), createStore().setTables(content).getTables());
const document = (content) => A.from({[ROOT]: {t: content, v: {}}});

// A Store and a document kept equal both ways, as an application has them.
const live = async (doc, {auto = true} = {}) => {
  const repo = new Repo({network: []});
  const handle = repo.create();
  if (doc !== undefined) handle.update(() => doc);
  const store = createStore();
  const persister = createAutomergePersister(store, handle, ROOT, fail);
  if (auto) {
    await persister.startAutoLoad();
    await persister.startAutoSave();
  }
  return {handle, store, persister};
};

const idle = async ({persister}) => {
  do for (let i = 0; i < 5; i++) await turn();
  while (persister.getStatus() !== 0);
};

const results = {};

const plain = async (kind, content, saved) => {
  results[`${kind}_build`] = await measure(() => content, document, options);
  results[`${kind}_load`] = await measure(() => saved, A.load, options);
  const full = document(content);
  results[`${kind}_save`] = await measure(() => full, A.save, options);
  for (const data of [saved, A.save(full)]) check(same(A.toJS(A.load(data))[ROOT].t, content), 'the document is full');
};

// TinyBase takes many seconds for each of these: once is enough.
const once = async (prepare, run) => {
  let subject;
  const make = async () => (subject = await prepare());
  return [await measure(make, run, {warmup: 0, rounds: 1}), subject];
};

const whole = async (kind, content, saved) => {
  const [build, built] = await once(
    () => live(),
    async ({handle, store}) => {
      const written = new Promise((resolve) => handle.once('heads-changed', resolve));
      store.setTables(content);
      await written;
    },
  );
  check(same(A.toJS(built.handle.doc())[ROOT].t, content), 'the written document is full');
  const [load, loaded] = await once(
    async () => {
      const peer = await live(undefined, {auto: false});
      peer.heard = new Promise((resolve) => peer.store.addTablesListener(resolve));
      return peer;
    },
    async ({handle, persister, heard}) => {
      handle.update(() => A.load(saved));
      await persister.load();
      await heard;
    },
  );
  check(same(loaded.store.getTables(), content), 'the loaded Store is full');
  results[`${kind}_build_store`] = build;
  results[`${kind}_load_store`] = load;
};

// Sync messages until neither side has more to say.
const settle = (peer, sender) => {
  for (let said = true; said; ) {
    said = false;
    const out = sender.next();
    if (out !== null) peer.receive(out);
    const back = peer.next();
    if (back !== null) sender.receive(back);
    said = out !== null || back !== null;
  }
};

const link = (get, set) => {
  let state = A.initSyncState();
  return {
    next: () => {
      const [next, message] = A.generateSyncMessage(get(), state);
      state = next;
      return message;
    },
    receive: (message) =>
      set((doc) => {
        const [next, after] = A.receiveSyncMessage(doc, state, message);
        state = after;
        return next;
      }),
  };
};

const cells = async (size) => {
  // Each cell costs a reload of all: the more there are, the fewer rounds.
  const [warmupEach, roundsEach] = [options.warmup_each, options.rounds_each].map((n) => Math.ceil(n / Math.cbrt(size)));
  const rows = rowIds(size, 'r', PER_ROW);
  const place = (round) => [rows[(round * 7) % rows.length], cellIds[round % PER_ROW]];
  const peer = await live(document(numbers(size)));
  await idle(peer);

  // One remote cell: as automerge-repo's DocSynchronizer gives what it receives to the handle.
  let other = A.clone(peer.handle.doc());
  const sender = link(
    () => other,
    (apply) => (other = apply(other)),
  );
  const receiver = link(
    () => peer.handle.doc(),
    (apply) => peer.handle.update(apply),
  );
  const change = ([rowId, cellId], value) => {
    other = A.change(other, (doc) => {
      doc[ROOT].t[TABLE][rowId][cellId] = value;
    });
  };
  change(place(0), 0.5); // the first change may be asked for once more
  settle(receiver, sender);
  await idle(peer);
  let heard;
  const listenerId = peer.store.addCellListener(null, null, null, () => heard(clock()));
  let times = [];
  for (let round = 0; round < warmupEach + roundsEach; round++) {
    const [rowId, cellId] = place(round);
    change([rowId, cellId], -1 - round);
    const message = sender.next();
    const listened = new Promise((resolve) => (heard = resolve));
    const start = clock();
    receiver.receive(message);
    const time = (await listened) - start;
    if (round >= warmupEach) times.push(time);
    await idle(peer);
    check(peer.store.getCell(TABLE, rowId, cellId) === -1 - round, 'the cell is in the Store');
    settle(receiver, sender);
  }
  peer.store.delListener(listenerId);
  results[`remote_${size}`] = summary(times);

  // One local cell: until the handle has the change.
  times = [];
  for (let round = 0; round < warmupEach + roundsEach; round++) {
    const [rowId, cellId] = place(round);
    let end;
    const written = new Promise((resolve) =>
      peer.handle.once('heads-changed', () => {
        end = clock();
        resolve();
      }),
    );
    const start = clock();
    peer.store.setCell(TABLE, rowId, cellId, -1_000_000 - round);
    await written;
    if (round >= warmupEach) times.push(end - start);
    await idle(peer);
    check(peer.handle.doc()[ROOT].t[TABLE][rowId][cellId] === -1_000_000 - round, 'the cell is in the document');
  }
  results[`local_${size}`] = summary(times);
};

const contents = {number: numbers(most), text: texts(most / 10)};
for (const [kind, content] of Object.entries(contents))
  await {plain, tinybase: whole}[part](kind, content, readFileSync(join(folder, `${kind}.bin`)));
if (part === 'tinybase') for (const size of sizes) await cells(size);
process.stdout.write(`${JSON.stringify(results)}\n`, () => process.exit(0));
