// Clients of a live server that edit at random or cut texts, and what a plain Yjs relay would have made of it: a new
// document that is given the updates they made, in the order in which they were made.
import * as Y from 'yjs';
import {newPeer} from './documents.mjs';
import {dropPeer, getPeer, waitUntil} from './peers.mjs';
import {socketCommands} from './sockets.mjs';
import {CUTS} from './update_cuts.mjs';
import {edit} from './update_edits.mjs';
import {docOf} from './update_history.mjs';
import {Random} from './update_random.mjs';
import {deletesOf, readContent, readType, readVector, roots, stateOf} from './update_reading.mjs';

const rooms = new Map(); // by name: {peers, made, texts}

const roomOf = (peer) => rooms.get(peer.room);

const join = ({name, url, room, clientId, gc = true}) => {
  newPeer({name, clientId, gc});
  const peer = getPeer(name);
  peer.room = room;
  if (!rooms.has(room)) rooms.set(room, {peers: new Set(), made: [], texts: new Set()});
  const {peers, made} = rooms.get(room);
  peers.add(peer);
  peer.doc.on('update', (update, _origin, _doc, {local}) => local && made.push(update));
  peer.undo = new Y.UndoManager(roots(peer.doc), {captureTimeout: 0, doc: peer.doc});
  socketCommands['socket.connect']({name, url, room});
};

const editOnce = (random, {doc, undo}) => {
  if (random.chance(0.08)) undo.undo();
  else if (random.chance(0.04)) undo.redo();
  else if (random.chance(0.2)) doc.transact(() => [1, 2, 3].forEach(() => edit(random, doc)));
  else edit(random, doc);
};

// For each way to cut, each place of a text and each place of what another does meanwhile, a text of its own.
const cutsOf = (base) =>
  Object.keys(CUTS).flatMap((cut) =>
    Array.from({length: base.length - 1}, (_, at) => at + 1).flatMap((at) =>
      Array.from({length: base.length + 1}, (_, again) => ({cut, at, again, text: `${cut} ${at} ${again}`})),
    ),
  );

const CUTTERS = {
  write: (doc, {text}, base) => doc.getText(text).insert(0, base),
  cut: (doc, {text, cut, at}) => CUTS[cut](doc.getText(text), at),
  meanwhile: (doc, {text, again}) => {
    doc.getText(text).insert(again, 'y');
    doc.getText(text).delete(Math.max(again - 1, 0), 1);
  },
  after: (doc, {text}) => doc.getText(text).insert(doc.getText(text).length, '😀end'),
};

// Everything that can be seen of a document, and its clocks and deletions.
const seen = (doc, texts) => ({
  content: [readContent(doc), ...[...texts].map((text) => `${text}: ${readType(doc.getText(text))}`)].join('\n'),
  state: stateOf(doc),
  deletes: deletesOf(doc),
});

// As a transaction of its own: after one that came from elsewhere Yjs removes formats that do nothing any more, which
// depends on the order in which they came, and is an edit of its own.
const relayed = (updates) => {
  const doc = docOf([]);
  doc.transact(() => updates.forEach((update) => Y.applyUpdate(doc, update)));
  return doc;
};

const areSettled = ({peers}) => {
  const all = [...peers];
  if (!all.every(({provider, doc}) => provider.synced && doc.store.pendingStructs === null)) return false;
  // Each has what all have written, and has deleted what all have deleted.
  const wanted = readVector(all.map(({doc}) => [doc.clientID, Y.getState(doc.store, doc.clientID)]));
  return all.every(({doc}) => stateOf(doc) === wanted) && new Set(all.map(({doc}) => deletesOf(doc))).size === 1;
};

const firstDifference = (a, b) => {
  let at = 0;
  while (at < a.length && a[at] === b[at]) at++;
  return `${JSON.stringify(a.slice(Math.max(at - 60, 0), at + 80))} not ${JSON.stringify(b.slice(Math.max(at - 60, 0), at + 80))}`;
};

export const liveCommands = {
  'live.join': join,
  'live.edit': ({name, seed, count}) => {
    const peer = getPeer(name);
    for (let at = 0; at < count; at++) editOnce(new Random(seed, at), peer);
  },
  // One step of all cuts, by one client: as one transaction for each text, or a share of them.
  'live.cut': ({name, step, base, from = 0, to}) => {
    const peer = getPeer(name);
    for (const one of cutsOf(base).slice(from, to)) {
      roomOf(peer).texts.add(one.text);
      peer.doc.transact(() => CUTTERS[step](peer.doc, one, base));
    }
    return cutsOf(base).length;
  },
  // What the binding for Python makes something else of, and what it cannot read at all.
  'live.values': ({name}) => {
    const {doc} = getPeer(name);
    const values = {big: 2n ** 62n, zero: -0, none: undefined, order: {b: 1, a: [12n, -0]}, sub: new Y.Doc({guid: 'é😀'})};
    doc.transact(() => Object.entries(values).forEach(([key, value]) => doc.getMap('m').set(key, value)));
    doc.getText('t').insert(0, 'a😀b', {bold: true});
    doc.getText('t').insertEmbed(2, {image: -0.5});
    doc.getXmlFragment('x').insert(0, [new Y.XmlElement('p'), new Y.XmlText('é😀')]);
  },
  'live.hook': ({name}) => getPeer(name).doc.getXmlFragment('x').insert(0, [new Y.XmlHook('hook')]),
  'live.unhook': ({name}) => getPeer(name).doc.getXmlFragment('x').delete(0, 1),
  'live.wait': ({room, timeout}) => {
    const found = rooms.get(room);
    const states = () => [...found.peers].map(({name, provider, doc}) => `${name} ${provider.synced} ${stateOf(doc)}`);
    return waitUntil(() => `all of ${room} to have the same: ${states().join('; ')}`, timeout, () => areSettled(found), (check) => {
      const timer = setInterval(check, 20); // a look costs too much for each transaction
      return () => clearInterval(timer);
    });
  },
  // What is otherwise at any client than where a plain Yjs relay had been given the same updates.
  'live.judge': ({room}) => {
    const {peers, made, texts} = rooms.get(room);
    const expected = seen(relayed(made), texts);
    const newcomer = seen(relayed([Y.encodeStateAsUpdate(relayed(made))]), texts);
    const found = [['a newcomer to the relay', newcomer], ...[...peers].map(({name, doc}) => [name, seen(doc, texts)])];
    return found.flatMap(([name, has]) =>
      Object.keys(expected)
        .filter((what) => has[what] !== expected[what])
        .map((what) => `${name}, ${what}: ${firstDifference(has[what], expected[what])}`),
    );
  },
  'live.seen': ({name}) => seen(getPeer(name).doc, roomOf(getPeer(name))?.texts ?? []).content,
  'live.leave': async ({name}) => {
    roomOf(getPeer(name)).peers.delete(getPeer(name));
    await dropPeer(name);
  },
};
