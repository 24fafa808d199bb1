// Peers that edit texts by UTF-16 code units, and so split surrogate pairs as many JavaScript editors do.
import * as Y from 'yjs';
import {getPeer} from './peers.mjs';
import {Random} from './update_random.mjs';

const WORDS = ['a', 'bc', '😀', '🔴', '🟢', '🔴🟢', 'x😀y', 'é', '👨‍👩‍👧', '漢', '\ufffd'];

// A format that changes nothing splits in the editing peer alone, of which no peer hears: each has a new value.
let colours = 0;

const ways = {
  insert: (random, text) => text.insert(random.between(0, text.length), random.pick(WORDS)),
  remove: (random, text) => {
    if (!text.length) return;
    const at = random.below(text.length);
    text.delete(at, Math.min(text.length - at, random.between(1, 3)));
  },
  format: (random, text) => {
    if (!text.length) return;
    const at = random.below(text.length);
    text.format(at, Math.min(text.length - at, random.between(1, 3)), {colour: colours++});
  },
  // What editors do that compare texts by code units: 🔴 becomes 🟢 by its second half.
  replace: (random, text) => {
    const old = text.toString();
    const at = old.indexOf('🔴');
    if (at < 0 || text.toDelta().some(({insert}) => typeof insert !== 'string')) return;
    text.delete(at + 1, 1);
    text.insert(at + 1, '\udfe2');
  },
  embed: (random, text) => text.insertEmbed(random.between(0, text.length), {of: '😀'}),
};

// A text cell of a Store in TinyBase's layout.
const cellOf = (doc) => doc.getMap('texts').get('t')?.get('notes')?.get('n')?.get('body');

// The texts of a document: a root, one in a map, one in XML and a cell, once somebody has made them.
const textsOf = (doc) => {
  const nested = doc.getMap('m').get('text');
  const [element] = doc.getXmlFragment('x').toArray();
  const cell = cellOf(doc);
  return [doc.getText('t'), ...(nested ? [nested] : []), ...(element ? [element.get(0)] : []), ...(cell ? [cell] : [])];
};

// A lone half that a peer has inserted itself stays one in that peer alone: its update has U+FFFD.
const shown = (text) =>
  text
    .toDelta()
    .map(({insert}) => (typeof insert === 'string' ? insert.toWellFormed() : '\ufffc'))
    .join('');

const read = (doc) => ({
  texts: textsOf(doc).map((text) => shown(text)),
  // Of each piece how long it is, and its format.
  formats: doc.getText('t').toDelta().map(({insert, attributes}) => [insert.length ?? 1, attributes?.colour ?? null]),
  cell: doc.getMap('m').get('cell') ?? null,
  state: Object.fromEntries([...Y.decodeStateVector(Y.encodeStateVector(doc))].filter(([, clock]) => clock)),
  waits: doc.store.pendingStructs !== null,
});

export const pairCommands = {
  'pairs.begin': ({name}) => {
    const {doc} = getPeer(name);
    doc.transact(() => {
      doc.getMap('m').set('text', new Y.Text('n😀'));
      const element = new Y.XmlElement('p');
      element.insert(0, [new Y.XmlText('x😀')]);
      doc.getXmlFragment('x').insert(0, [element]);
    });
  },
  // Some edits in one transaction, or undoing some; gives the updates that the peer has sent since it was last asked.
  'pairs.edit': ({name, seed}) => {
    const peer = getPeer(name);
    const {doc, local} = peer;
    const random = new Random(seed);
    peer.undo ??= new Y.UndoManager([doc.getText('t'), doc.getMap('m'), doc.getXmlFragment('x')], {captureTimeout: 0});
    if (random.chance(0.1)) peer.undo.undo();
    else if (random.chance(0.05)) peer.undo.redo();
    else doc.transact(() => {
      for (let left = random.between(1, 3); left; left--) {
        ways[random.pick(Object.keys(ways))](random, random.pick(textsOf(doc)));
        if (random.chance(0.2)) doc.getMap('m').set('cell', random.pick(WORDS));
      }
    });
    return local.splice(0);
  },
  'pairs.read': ({name}) => read(getPeer(name).doc),
  // What a newcomer reads.
  'pairs.newcomer': ({updates}) => {
    const doc = new Y.Doc();
    for (const update of updates) Y.applyUpdate(doc, update);
    return read(doc);
  },
};
