// Whether the answers about a history's updates mean to Yjs what the history means. Each finding is a sentence.
import * as Y from 'yjs';
import {edit} from './update_edits.mjs';
import {docOf, freshId} from './update_history.mjs';
import {deletesIn, deletesOf, readContent, readVector, stateOf} from './update_reading.mjs';

const vectorOf = (vector) => readVector(Y.decodeStateVector(vector));

const tell = (expected, found) => {
  if (expected.length + found.length < 200) return `${found} instead of ${expected}`.toWellFormed();
  let at = 0;
  while (expected[at] === found[at]) at++;
  const part = (text) => text.slice(Math.max(0, at - 60), at + 80);
  return `…${part(found)}… instead of …${part(expected)}…`.toWellFormed();
};

// Content in which each pair is cut.
const blurred = (content) => content.replace(/[\u{10000}-\u{10ffff}]/gu, '\ufffd\ufffd');

// What the document knows, without what waits in it.
const integrated = (doc) => {
  const {pendingStructs, pendingDs} = doc.store;
  doc.store.pendingStructs = doc.store.pendingDs = null;
  const update = Y.encodeStateAsUpdate(doc);
  Object.assign(doc.store, {pendingStructs, pendingDs});
  return update;
};

class Judge {
  constructor(history) {
    this.history = history;
    this.random = history.end;
    this.findings = [];
    this.newcomers = [];
    this.cleaned = new Set(); // documents in which Yjs removed formats by itself
  }

  check(name, expected, found) {
    if (expected !== found) this.findings.push(`${name}: ${tell(expected, found)}`);
  }

  // A document that was given these updates; some collect, some do not.
  feed(updates, gc = this.random.chance(0.7)) {
    const doc = docOf([], {gc, clientID: freshId(this.random, this.history.world.ids)});
    doc.on('afterTransaction', ({local, deleteSet}) => local && deleteSet.clients.size > 0 && this.cleaned.add(doc));
    for (const update of updates) Y.applyUpdate(doc, update, 'net');
    return doc;
  }

  // The document has everything that the history's peers have. Formats excepted, where it was given that in steps
  // in which no peer had it: Yjs takes out on the way what does nothing there, and it is an edit of that document.
  complete(name, doc, {inSteps = false} = {}) {
    const {expected} = this.history;
    if (inSteps && this.cleaned.has(doc)) return;
    this.check(`${name}, content`, expected.content, readContent(doc));
    this.check(`${name}, state vector`, expected.state, stateOf(doc));
    if (!this.cleaned.has(doc)) this.check(`${name}, deletes`, expected.deletes, deletesOf(doc));
    if (doc.store.pendingStructs !== null) this.findings.push(`${name}: something waits`);
    if (doc.store.pendingDs !== null) this.findings.push(`${name}: deletions wait`);
    this.newcomers.push(doc);
  }

  // A pair may still be whole in one of them where what cuts it is not there yet: Yjs cuts it as well for what it
  // knows already.
  same(name, expected, found) {
    this.check(`${name}, content`, blurred(readContent(expected)), blurred(readContent(found)));
    this.check(`${name}, state vector`, stateOf(expected), stateOf(found));
    if (!this.cleaned.has(expected) && !this.cleaned.has(found)) {
      this.check(`${name}, deletes`, deletesOf(expected), deletesOf(found));
    }
    this.check(`${name}, waiting`, String(expected.store.pendingStructs !== null), String(found.store.pendingStructs !== null));
  }

  // A log that has all the updates, and what it answered to peers.
  log(name, {whole, vector, diffs}, vectors) {
    const {expected, world} = this.history;
    const doc = this.feed([whole]);
    this.complete(`${name}, whole`, doc);
    this.check(`${name}, its state vector`, expected.state, vectorOf(vector));
    this.check(`${name}, the deletes it names`, deletesIn([whole, ...world.made_]), deletesIn([whole]));
    vectors.forEach((at, index) => {
      const {state, gc} = world.held[at];
      this.complete(`${name}, answer to state vector ${at}`, this.feed([state, diffs[index]], gc));
    });
    return doc;
  }

  order(name, {updates, vectors, at, atVectors}, answer) {
    const {questions, world} = this.history;
    const rows = updates.map((place) => questions.updates[place]);
    this.log(name, answer, vectors);
    this.complete(`${name}, read again`, this.feed([answer.of]));
    if (answer.missing !== 0) this.findings.push(`${name}: something is held in the end`);

    // What is given on follows on at each step.
    const follower = this.feed([]);
    answer.followed.forEach((update, step) => {
      Y.applyUpdate(follower, update, 'net');
      if (follower.store.pendingStructs !== null) this.findings.push(`${name}, given on, ${step}: something waits`);
    });
    this.complete(`${name}, given on`, follower, {inSteps: true});

    // Halfway, what it gives out follows on, and it has at least what Yjs has. It may have more: of an update that
    // waits Yjs holds everything that one client wrote.
    const given = answer.at.whole;
    const before = rows.slice(0, at);
    const early = this.feed([given]);
    const vector = stateOf(early);
    const half = docOf(before);
    this.check(`${name}, after ${at}, its state vector`, vector, vectorOf(answer.at.vector));
    this.check(`${name}, after ${at}, less than Yjs`, vector, stateOf(docOf([given, integrated(half)])));
    if (early.store.pendingStructs !== null) this.findings.push(`${name}, after ${at}: gave out what does not follow on`);
    if (answer.at.missing === 0) this.same(`${name}, after ${at}, without a gap`, docOf([given, ...before]), early);
    atVectors.forEach((place, index) => {
      const {state, gc} = world.held[place];
      this.same(`${name}, after ${at}, to ${place}`, docOf([state, given], {gc}), this.feed([state, answer.at.diffs[index]], gc));
    });
    Y.applyUpdate(early, answer.again, 'net');
    this.complete(`${name}, after ${at} and again`, early, {inSteps: true});
  }

  compacted(name, answer, {vectors}) {
    if (answer === null) return;
    if (answer.kept !== 0) this.findings.push(`${name}: kept ${answer.kept} rows of a whole log`);
    const doc = this.log(name, answer, vectors);
    if (name === 'kept past') this.past(name, doc.gc ? this.feed([answer.whole], false) : doc);
  }

  // What was there at a moment can still be read, where nobody collects.
  past(name, doc) {
    const {world} = this.history;
    const kept = world.held.filter(({snapshot}) => snapshot !== null);
    if (world.gcShare > 0 || kept.length === 0) return;
    const whole = docOf(world.made_, {gc: false});
    for (const {snapshot} of this.random.sample(kept, 2)) {
      const moment = Y.decodeSnapshot(snapshot);
      // A pair inside what was deleted is cut or not by the order in which the deletions came.
      const theirs = Y.createDocFromSnapshot(whole, moment, new Y.Doc({gc: false, guid: 'doc'}));
      const ours = Y.createDocFromSnapshot(doc, moment, new Y.Doc({gc: false, guid: 'doc'}));
      this.check(`${name}, a moment of it`, blurred(readContent(theirs)), blurred(readContent(ours)));
    }
  }

  functions({merged, mergedVectors, diffed, vectors}) {
    const {questions, world} = this.history;
    questions.updates.forEach((update, at) => {
      const theirs = vectorOf(Y.encodeStateVectorFromUpdate(update));
      this.check(`state_vector_of(${at})`, theirs, vectorOf(vectors[at]));
    });
    const theirs = questions.merges.map((places) => Y.mergeUpdates(places.map((place) => questions.updates[place])));
    theirs.forEach((update, at) => {
      const [yjs, ours] = [this.feed([update]), this.feed([merged[at]])];
      this.same(`merge_updates(${at})`, yjs, ours);
      const vector = vectorOf(Y.encodeStateVectorFromUpdate(update));
      this.check(`merge_updates(${at}), its state vector`, vector, vectorOf(Y.encodeStateVectorFromUpdate(merged[at])));
      this.check(`merge_updates(${at}), state_vector_of`, vector, vectorOf(mergedVectors[at]));
      for (const doc of [yjs, ours]) for (const made of world.made_) Y.applyUpdate(doc, made, 'net');
      if (![yjs, ours].some((doc) => this.cleaned.has(doc))) this.same(`merge_updates(${at}) and the rest`, yjs, ours);
    });
    questions.diffs.forEach(([place, at], index) => {
      const {vector, state, gc} = world.held[at];
      const yjs = this.feed([state, Y.diffUpdate(theirs[place], vector)], gc);
      this.same(`diff_update(${place}, ${at})`, yjs, this.feed([state, diffed[index]], gc));
    });
  }

  // Newcomers and old peers edit at once, and everybody gets everything.
  afterwards() {
    const {world} = this.history;
    const random = this.random;
    const peers = random.sample(world.peers, 2);
    const docs = [...random.sample(this.newcomers, 4), ...peers.map(({doc}) => doc)];
    // What Yjs took out of newcomers by itself, nobody else knows yet.
    const cleanings = docs.filter((doc) => this.cleaned.has(doc)).map((doc) => Y.encodeStateAsUpdate(doc));
    const waiting = new Map(docs.map((doc) => [doc, [...cleanings]]));
    for (const doc of docs) {
      doc.on('update', (update, _origin, _doc, {local}) => {
        if (local) for (const other of docs) if (other !== doc) waiting.get(other).push(update);
      });
    }
    for (const doc of docs) for (let count = random.between(1, 3); count > 0; count--) edit(random, doc);
    for (const {undo} of peers) if (undo !== undefined && random.chance(0.5)) undo.undo();
    while ([...waiting.values()].some((updates) => updates.length > 0)) {
      for (const doc of docs) {
        for (const update of random.shuffled(waiting.get(doc).splice(0))) Y.applyUpdate(doc, update, 'net');
      }
    }
    docs.forEach((doc, at) => {
      this.check(`edits afterwards, ${at}, content`, readContent(docs.at(-1)), readContent(doc));
      this.check(`edits afterwards, ${at}, state vector`, stateOf(docs.at(-1)), stateOf(doc));
      this.check(`edits afterwards, ${at}, deletes`, deletesOf(docs.at(-1)), deletesOf(doc));
    });
  }
}

export const judge = (history, answers) => {
  const {questions} = history;
  const found = new Judge(history);
  const step = (name, action) => {
    try {
      action();
    } catch (error) {
      found.findings.push(`${name}: ${error.stack.split('\n').slice(0, 4).join(' ')}`);
    }
  };
  questions.orders.forEach((order, at) => step(`order ${at}`, () => found.order(`order ${at}`, order, answers.orders[at])));
  step('compacted', () => found.compacted('compacted', answers.compacted, questions.compact));
  step('kept past', () => found.compacted('kept past', answers.keptPast, questions.compact));
  step('functions', () => found.functions(answers));
  step('edits afterwards', () => found.afterwards());
  return found.findings.slice(0, 6);
};

// Yjs's own answers, by which it is seen that the judge asks for nothing that Yjs does not do.
export const yjsAnswers = ({questions}) => {
  const rowsOf = (places) => places.map((place) => questions.updates[place]);
  const answered = (doc, vectors) => ({
    whole: Y.encodeStateAsUpdate(doc),
    vector: Y.encodeStateVector(doc),
    diffs: vectors.map((at) => Y.encodeStateAsUpdate(doc, questions.vectors[at])),
  });
  const orders = questions.orders.map(({updates, vectors, at, atVectors}) => {
    const rows = rowsOf(updates);
    const doc = docOf(rows.slice(0, at), {gc: false});
    const missing = doc.store.pendingStructs?.missing.size ?? 0;
    const half = {...answered(docOf([integrated(doc)], {gc: false}), atVectors), missing};
    const followed = [half.whole];
    for (const row of rows.slice(at)) Y.applyUpdate(doc, row);
    followed.push(Y.encodeStateAsUpdate(doc, half.vector));
    return {...answered(doc, vectors), of: Y.mergeUpdates(rows), missing: 0, followed, at: half, again: followed[1]};
  });
  const {order, vectors} = questions.compact;
  const compact = (gc) => {
    const answer = answered(docOf(rowsOf(questions.orders[order].updates), {gc}), vectors);
    return {...answer, kept: 0};
  };
  const merged = questions.merges.map((places) => Y.mergeUpdates(rowsOf(places)));
  return {
    orders,
    compacted: compact(true),
    keptPast: compact(false),
    merged,
    mergedVectors: merged.map(Y.encodeStateVectorFromUpdate),
    diffed: questions.diffs.map(([place, at]) => Y.diffUpdate(merged[place], questions.vectors[at])),
    vectors: questions.updates.map((update) => Y.encodeStateVectorFromUpdate(update)),
  };
};
