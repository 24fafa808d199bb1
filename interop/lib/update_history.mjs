// A random history that one number decides: peers that come, edit, exchange, undo, start again; the updates they
// made; and what is asked of whoever keeps these updates.
import * as Y from 'yjs';
import {edit} from './update_edits.mjs';
import {Random} from './update_random.mjs';
import {deletesOf, readContent, roots, stateOf} from './update_reading.mjs';

const EMPTY = new Uint8Array([0]);

export const docOf = (updates, {gc = true, clientID} = {}) => {
  const doc = new Y.Doc({gc, guid: 'doc'});
  if (clientID !== undefined) doc.clientID = clientID;
  for (const update of updates) Y.applyUpdate(doc, update, 'net');
  return doc;
};

// Ids of all sizes, each once: with an id that somebody else has, Yjs gives itself another one, by chance.
export const freshId = (random, used) => {
  for (;;) {
    const kind = random.below(8);
    const id = kind === 0 ? random.between(1, 200) : random.below(2 ** 32) + (kind === 1 ? 2 ** 32 : 0);
    if (used.has(id)) continue;
    used.add(id);
    return id;
  }
};

// --- Peers -------------------------------------------------------------------------------------------------------

class Peer {
  constructor(world, random, updates) {
    this.world = world;
    this.inbox = [];
    this.start(random, updates);
  }

  start(random, updates) {
    this.gc = random.chance(this.world.gcShare);
    this.doc = docOf(updates, {gc: this.gc, clientID: freshId(random, this.world.ids)});
    this.doc.on('update', (update, _origin, _doc, transaction) => {
      if (transaction.local) this.world.made(this, update);
    });
    this.undo = new Y.UndoManager(roots(this.doc), {captureTimeout: random.chance(0.5) ? 0 : 1e12, doc: this.doc});
  }

  receive(updates) {
    for (const update of updates) Y.applyUpdate(this.doc, update, 'net');
  }
}

const ACTIONS = [
  [40, 'edit'],
  [12, 'several'],
  [14, 'deliver'],
  [6, 'meet'],
  [5, 'undo'],
  [3, 'redo'],
  [3, 'pause'],
  [3, 'join'],
  [2, 'restart'],
  [4, 'reencode'],
  [8, 'hold'],
].flatMap(([count, name]) => Array(count).fill(name));

class World {
  constructor(random) {
    // In half of the histories nobody collects: the past is in the updates.
    this.gcShare = random.pick([0, 0, 0.5, 1]);
    this.ids = new Set();
    this.made_ = []; // what each transaction of a peer gave out, in that order
    this.rows = []; // the same, and between them what peers encoded anew of what they have
    this.held = []; // states that peers had: {vector, state, gc, snapshot}
    this.peers = [];
    for (let count = random.between(2, 4); count > 0; count--) this.peers.push(new Peer(this, random, []));
  }

  made(maker, update) {
    this.made_.push(update);
    this.rows.push(update);
    for (const peer of this.peers) if (peer !== maker) peer.inbox.push(update);
  }

  hold(_random, peer) {
    const {doc} = peer;
    const snapshot = peer.gc ? null : Y.encodeSnapshot(Y.snapshot(doc));
    const vector = Y.encodeStateVector(doc);
    this.held.push({vector, state: Y.encodeStateAsUpdate(doc), gc: peer.gc, snapshot});
  }

  act(random) {
    const peer = random.pick(this.peers);
    const others = this.peers.filter((other) => other !== peer);
    this[random.pick(ACTIONS)](random, peer, random.pick(others));
  }

  edit(random, {doc}) {
    edit(random, doc);
  }

  several(random, {doc}) {
    doc.transact(() => {
      for (let count = random.between(2, 8); count > 0; count--) edit(random, doc);
    });
  }

  // What came may overtake what came before, come twice, and come joined.
  deliver(random, peer) {
    const waiting = random.chance(0.5) ? peer.inbox : random.sample(peer.inbox, random.between(1, 6));
    const rest = new Set(waiting);
    peer.inbox = peer.inbox.filter((update) => !rest.has(update) || random.chance(0.05));
    if (waiting.length > 1 && random.chance(0.3)) peer.receive([Y.mergeUpdates(waiting)]);
    else peer.receive(waiting);
  }

  meet(_random, peer, other) {
    const answer = Y.encodeStateAsUpdate(other.doc, Y.encodeStateVector(peer.doc));
    other.receive([Y.encodeStateAsUpdate(peer.doc, Y.encodeStateVector(other.doc))]);
    peer.receive([answer]);
  }

  undo(_random, peer) {
    peer.undo.undo();
  }

  redo(_random, peer) {
    peer.undo.redo();
  }

  pause(_random, peer) {
    peer.undo.stopCapturing();
  }

  join(random, peer) {
    if (this.peers.length >= 5) return;
    const known = random.pick([
      () => [Y.encodeStateAsUpdate(peer.doc)],
      () => [Y.mergeUpdates(this.made_)],
      () => random.shuffled(this.made_),
      () => [],
    ]);
    const joined = new Peer(this, random, this.made_.length === 0 ? [] : known());
    joined.inbox = [...this.made_];
    this.peers.push(joined);
  }

  restart(random, peer) {
    const state = Y.encodeStateAsUpdate(peer.doc);
    peer.undo.destroy();
    peer.start(random, [state]);
  }

  // What a client sends after a reconnect: its own encoding of what the other side may lack.
  reencode(random, peer, other) {
    const vectors = [EMPTY, Y.encodeStateVector(other.doc), ...this.held.map(({vector}) => vector)];
    this.rows.push(Y.encodeStateAsUpdate(peer.doc, random.pick(vectors)));
  }

  // Everybody gets everything. Yjs removes formats that do nothing any more when others' formats come: that is
  // an edit of its own, which goes to everybody too.
  settle() {
    while (this.peers.some(({inbox}) => inbox.length > 0)) {
      for (const peer of this.peers) {
        const {inbox} = peer;
        peer.inbox = [];
        peer.receive(inbox);
      }
    }
  }
}

// --- What is asked -------------------------------------------------------------------------------------------------

const grouped = (random, updates) => {
  let groups = random.shuffled(updates).map((update) => [update]);
  for (let turn = random.between(0, 2); turn > 0; turn--) {
    const larger = [];
    while (groups.length > 0) {
      const taken = groups.splice(0, random.between(1, 6)).flat();
      larger.push(taken.length === 1 ? taken : [Y.mergeUpdates(taken)]);
    }
    groups = larger;
  }
  return groups.flat();
};

// Orders of arrival in which everything comes at least once.
const ARRIVALS = [
  (_random, {made_}) => made_,
  (random, {made_}) => random.shuffled(made_),
  (random, {rows}) => random.shuffled([...rows, ...random.sample(rows, 5)]),
  (_random, {rows}) => rows,
  (random, {rows}) => grouped(random, rows),
  // Nearly in order, as several connections bring it.
  (random, {rows}) =>
    rows
      .map((update, at) => [at + 6 * random.next(), update])
      .sort(([a], [b]) => a - b)
      .map(([, update]) => update),
  (random, {made_, peers}) => [Y.encodeStateAsUpdate(random.pick(peers).doc), ...random.sample(made_, 4)],
];

export const ask = (random, world) => {
  const {held, rows} = world;
  const pool = [];
  const places = new Map();
  const place = (update) => {
    if (!places.has(update)) {
      places.set(update, pool.length);
      pool.push(update);
    }
    return places.get(update);
  };
  const vectors = held.map((_, at) => at);
  const orders = random.sample(ARRIVALS, 2).map((arrival) => {
    const updates = arrival(random, world).map(place);
    return {
      updates,
      vectors: random.sample(vectors, 3),
      at: random.below(updates.length + 1),
      atVectors: random.sample(vectors, 1),
    };
  });
  const merges = [1, 2].map(() => {
    const from = random.below(rows.length);
    const part = rows.slice(from, from + random.between(1, 12));
    return (random.chance(0.5) ? part : random.sample(rows, random.between(1, 6))).map(place);
  });
  const answers = merges.flatMap((_, at) => random.sample(vectors, 1).map((vector) => [at, vector]));
  return {
    updates: pool,
    vectors: held.map(({vector}) => vector),
    orders,
    compact: {order: random.below(orders.length), vectors: random.sample(vectors, 2)},
    merges,
    diffs: answers,
  };
};

export const makeHistory = ({seed, keep}) => {
  const random = new Random(seed);
  const world = new World(random);
  const count = random.between(4, 60);
  for (let at = 0; at < count; at++) {
    if (keep === undefined || keep.includes(at)) world.act(new Random(seed, at + 1));
  }
  const end = new Random(seed, -2);
  if (world.rows.length === 0) edit(end, world.peers[0].doc);
  if (world.rows.length === 0) world.peers[0].doc.getMap('m').set('k', 1);
  for (const peer of end.sample(world.peers, 2)) world.hold(end, peer);
  world.settle();
  world.hold(end, end.pick(world.peers));
  return finish({seed, keep, actions: count, world, end});
};

// The same questions about updates that were given, of which each follows on from those before.
export const givenHistory = ({seed, updates}) => {
  const end = new Random(seed, -2);
  const held = [];
  const doc = docOf([]);
  const hold = () => held.push({vector: Y.encodeStateVector(doc), state: Y.encodeStateAsUpdate(doc), gc: true, snapshot: null});
  for (const update of updates) {
    Y.applyUpdate(doc, update, 'net');
    hold();
  }
  const ids = new Set([doc.clientID, ...doc.store.clients.keys()]);
  const world = {ids, made_: updates, rows: updates, held: end.sample(held, 12), peers: [{doc, gc: true}], gcShare: 1};
  return finish({seed, actions: 0, world, end});
};

const finish = (history) => {
  const {world, end} = history;
  const [{doc}] = world.peers;
  history.expected = {
    content: readContent(doc),
    state: stateOf(doc),
    deletes: deletesOf(doc),
  };
  history.questions = ask(end, world);
  history.end = end;
  return history;
};

// What Yjs itself must get right for the history to say anything about others: its peers have come to the same.
export const wrongInYjs = ({world, expected}) =>
  world.peers.flatMap(({doc}, at) => [
    ...(readContent(doc) === expected.content ? [] : [`peer ${at}: other content`]),
    ...(stateOf(doc) === expected.state ? [] : [`peer ${at}: other state vector`]),
    ...(deletesOf(doc) === expected.deletes ? [] : [`peer ${at}: other deletes`]),
  ]);
