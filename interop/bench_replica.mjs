// What automerge-repo's NodeFS storage takes for the workload of benchmarks/replica.py. Prints one JSON object of
// {case: {min, median, rounds}} in milliseconds. Run with --expose-gc.
//
//   node bench_replica.mjs <json of {warmup, rounds, warmup_each, rounds_each}> <folder> <divisor of sizes>
import {join} from 'node:path';
import * as A from '@automerge/automerge';
import {Repo} from '@automerge/automerge-repo';
import {NodeFSStorageAdapter} from '@automerge/automerge-repo-storage-nodefs';
import {check, measure, measureEach} from './lib/measure.mjs';
import {tables} from './lib/workload.mjs';

const [json, folder, divisor] = process.argv.slice(2);
const options = JSON.parse(json);
const each = {warmup: options.warmup_each, rounds: options.rounds_each};
const few = {warmup: Math.min(options.warmup, 1), rounds: Math.min(options.rounds, 3)}; // they take seconds
const CELLS = 100_000 / Number(divisor);
const EDITS = 10_000 / Number(divisor);
const BATCH = 100;

let places = 0;
const newRepo = (place = join(folder, `${places++}`)) => new Repo({storage: new NodeFSStorageAdapter(place)});

const edits = async (times) => {
  const repo = newRepo();
  const handle = repo.create({t: {r: {}}});
  return measureEach(async (round) => {
    for (let at = 0; at < times; at++) {
      handle.change((doc) => {
        doc.t.r[`c${at}`] = round;
      });
    }
    await repo.flush([handle.documentId]);
  }, times > 1 ? {warmup: Math.min(each.warmup, 1), rounds: Math.min(each.rounds, 5)} : each);
};

const start = async () => {
  const place = join(folder, 'start');
  const filling = newRepo(place);
  const handle = filling.create({t: tables(CELLS).t});
  await filling.flush([handle.documentId]);
  return measure(
    () => newRepo(place),
    async (repo) => {
      const found = await repo.find(handle.url);
      check(found.doc().t.r1.c1 === 11, 'a cell');
    },
    few,
  );
};

const catchUp = async () => {
  let doc = A.from({t: {r: {}}});
  const before = A.save(doc);
  for (let at = 0; at < EDITS; at++) {
    doc = A.change(doc, (draft) => {
      draft.t.r[`c${at % 1000}`] = at;
    });
  }
  const changes = A.getChanges(A.load(before), doc);
  return measure(
    () => {
      const repo = newRepo();
      return [repo, repo.import(before)];
    },
    async ([repo, handle]) => {
      handle.update((own) => A.applyChanges(own, changes)[0]);
      await repo.flush([handle.documentId]);
      check(handle.doc().t.r.c1 !== undefined, 'an edit');
    },
    few,
  );
};

console.log(
  JSON.stringify({
    'automerge 1': await edits(1),
    [`automerge ${BATCH}`]: await edits(BATCH),
    'automerge document': await start(),
    automerge: await catchUp(),
  }),
);
process.exit(0);
