// The reference decoders, for agreement on the same bytes: lib0, y-protocols and yjs itself.
import * as decoding from 'lib0/decoding';
import * as encoding from 'lib0/encoding';
import * as awareness from 'y-protocols/awareness';
import * as sync from 'y-protocols/sync';
import * as Y from 'yjs';

const quietly = (action) => {
  // y-protocols and yjs write what they think of bad bytes to the console.
  const {error, warn} = console;
  console.error = console.warn = () => {};
  try {
    return action();
  } finally {
    console.error = error;
    console.warn = warn;
  }
};

const structName = (struct) =>
  struct instanceof Y.Item ? struct.content.constructor.name : struct.constructor.name;

const readers = {
  uint: (data) => decoding.readVarUint(decoding.createDecoder(data)),
  string: (data) => decoding.readVarString(decoding.createDecoder(data)),
  bytes: (data) => decoding.readVarUint8Array(decoding.createDecoder(data)),

  // Every struct as [client, clock, length, kind] and every deleted range as [client, clock, length].
  update: (data) => {
    const {structs, ds} = Y.decodeUpdate(data);
    return {
      structs: structs.map((struct) => [struct.id.client, struct.id.clock, struct.length, structName(struct)]),
      deletes: [...ds.clients].flatMap(([client, ranges]) =>
        ranges.map(({clock, len}) => [client, clock, len]),
      ),
    };
  },

  // What a fresh peer answers to one message of type 0, or null.
  sync: (data) => {
    const decoder = decoding.createDecoder(data);
    const encoder = encoding.createEncoder();
    const doc = new Y.Doc();
    decoding.readVarUint(decoder);
    let failure = null;
    sync.readSyncMessage(decoder, encoder, doc, null, (error) => (failure = error));
    if (failure) throw failure;
    return {answer: encoding.toUint8Array(encoder), size: doc.getMap('root').size};
  },
};

// An Awareness without its timer: what applyAwarenessUpdate needs of one.
class Known {
  constructor(clientID) {
    this.clientID = clientID;
    this.states = new Map();
    this.meta = new Map();
    this.events = [];
  }
  getLocalState() {
    return this.states.get(this.clientID) ?? null;
  }
  emit(name, [change]) {
    if (name === 'update') this.events.push([change.added, change.updated, change.removed]);
  }
}

const attempt = (action) => {
  try {
    return {ok: quietly(action)};
  } catch (error) {
    return {error: String(error?.message ?? error)};
  }
};

export const codecCommands = {
  // Read each of the byte strings with one reader: a list of {ok} or {error}.
  'codec.read': ({kind, items}) => items.map((data) => attempt(() => readers[kind](data))),

  // Give an Awareness one message after the other; the states and events after each.
  'codec.awareness': ({clientId, messages}) => {
    const known = new Known(clientId);
    return messages.map((data) => {
      known.events = [];
      const result = attempt(() => awareness.applyAwarenessUpdate(known, data, 'peer'));
      return {
        failed: 'error' in result,
        events: known.events,
        states: [...known.states].sort(([a], [b]) => a - b),
        encoded: awareness.encodeAwarenessUpdate(known, [...known.states.keys()]),
      };
    });
  },

  // Updates as yjs writes them, one for each kind of content and shape; the same on each run.
  'codec.examples': () => examples(),
};

const record = (clientID, edit, options = {}) => {
  const doc = new Y.Doc({...options, guid: 'doc'});
  doc.clientID = clientID;
  const updates = [];
  doc.on('update', (update) => updates.push(update));
  edit(doc);
  return {doc, updates, whole: Y.encodeStateAsUpdate(doc)};
};

const values = [
  undefined, null, true, false, 0, -0, 1, -1, 63, 64, -64, 2 ** 31, 2 ** 53 - 1, -(2 ** 53 - 1), 0.5, 0.1, 1e21,
  1e-7, NaN, Infinity, -Infinity, 12n, -(2n ** 63n), '', 'a', 'é😀', '\u0000', 'x'.repeat(200), [], {}, [1, [2, [3]]],
  {a: {b: {c: [null]}}, 'é': 1}, new Uint8Array([0, 255]), new Uint8Array(300),
];

const examples = () => {
  const found = {};
  found.empty = record(1, () => {}).whole;
  found.cells = record(2 ** 32 - 1, (doc) =>
    doc.transact(() => {
      const root = doc.getMap('root');
      for (let row = 0; row < 40; row++) {
        root.set(`row${row}`, new Y.Map());
        for (let cell = 0; cell < 5; cell++) root.get(`row${row}`).set(`cell${cell}`, row * cell);
      }
    }),
  ).whole;
  found.values = record(3, (doc) => values.forEach((value, at) => doc.getMap('root').set(`v${at}`, value))).whole;
  found.array = record(4, (doc) => {
    const array = doc.getArray('list');
    array.push(values.filter((value) => value !== undefined && typeof value !== 'bigint'));
    array.insert(0, [1, 2, 3]);
    array.delete(1, 4);
    array.insert(2, [new Y.Array(), new Y.Map(), new Y.Text('in')]);
  }).whole;
  const text = record(5, (doc) => {
    const shared = doc.getText('text');
    shared.insert(0, 'hello wörld 😀 end');
    shared.format(2, 5, {bold: true, color: {r: 1}});
    shared.insertEmbed(4, {image: 'a.png', list: [1, [2]]});
    shared.delete(6, 3);
    shared.insert(1, 'middle', {italic: null});
  });
  found.text = text.whole;
  found.xml = record(6, (doc) => {
    const fragment = doc.getXmlFragment('xml');
    const element = new Y.XmlElement('paragraph');
    element.setAttribute('class', 'x');
    fragment.insert(0, [element, new Y.XmlText('text')]);
    element.insert(0, [new Y.XmlText('inner'), new Y.XmlElement('br')]);
  }).whole;
  // yrs reads a hook without its name, and one JSON string too many: both are to be refused.
  found.hook = record(13, (doc) => doc.getXmlFragment('xml').insert(0, [new Y.XmlHook('hook')])).whole;
  found.json = record(14, (doc) => {
    const json = new Y.ContentJSON([1, {a: [2]}, undefined]);
    doc.transact((transaction) => {
      const id = Y.createID(14, 0);
      new Y.Item(id, null, null, null, null, doc.getArray('list'), null, json).integrate(transaction, 0);
    });
  }).whole;
  found.subdocument = record(7, (doc) => {
    const sub = new Y.Doc({guid: 'sub', autoLoad: true, meta: {deep: [1]}});
    doc.getMap('root').set('sub', sub);
  }).whole;
  found.overwritten = record(8, (doc) => {
    const root = doc.getMap('root');
    for (let turn = 0; turn < 100; turn++) root.set(`k${turn % 7}`, turn);
    root.delete('k0');
  }).whole;
  found.kept = record(9, (doc) => {
    const root = doc.getMap('root');
    for (let turn = 0; turn < 100; turn++) root.set(`k${turn % 7}`, turn);
  }, {gc: false}).whole;
  found.collected = record(10, (doc) => {
    const root = doc.getMap('root');
    for (let row = 0; row < 10; row++) {
      root.set(`row${row}`, new Y.Map([['a', 1], ['b', new Y.Map([['c', 2]])]]));
    }
    for (let row = 0; row < 10; row += 2) root.delete(`row${row}`);
  }).whole;
  const steps = record(11, (doc) => {
    const list = doc.getArray('list');
    for (let step = 0; step < 90; step++) list.insert(step % 3 === 0 ? 0 : list.length, [step]);
    list.delete(10, 20);
  });
  found.merged = Y.mergeUpdates(steps.updates);
  found.skips = Y.mergeUpdates(steps.updates.filter((_, at) => at % 3 !== 1));
  found.slice = Y.diffUpdate(steps.whole, Y.encodeStateVectorFromUpdate(Y.mergeUpdates(steps.updates.slice(0, 50))));
  found.half = Y.encodeStateAsUpdate(text.doc, new Uint8Array([1, 5, 3]));
  const many = new Y.Doc();
  for (let client = 100; client < 180; client++) {
    const {whole} = record(client * 1_000_003, (doc) => doc.getMap('root').set(`k${client % 9}`, client));
    Y.applyUpdate(many, whole);
  }
  found.clients = Y.encodeStateAsUpdate(many);
  found.deletes = record(12, (doc) => {
    const list = doc.getArray('list');
    list.push(Array.from({length: 400}, (_, at) => at));
    for (let at = 199; at >= 0; at--) list.delete(at * 2, 1);
  }).updates.at(-1);
  return found;
};
