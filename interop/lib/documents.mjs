// Commands on plain Yjs documents.
import * as Y from 'yjs';
import {addPeer, dropPeer, getPeer, waitUntil} from './peers.mjs';
import {toWire} from './wire.mjs';

const newPeer = ({name, clientId, gc = true}) => {
  const doc = new Y.Doc({gc});
  if (clientId !== undefined) doc.clientID = clientId;
  const peer = addPeer({name, doc, local: [], all: []});
  // What a provider would send (local), and everything that entered the document (all), in order.
  doc.on('update', (update, _origin, _doc, transaction) => {
    peer.all.push(update);
    if (transaction.local) peer.local.push(update);
  });
  return peer;
};

// A Y.Map as a tree of plain values: the whole of what a reader of the document can see.
const mapAt = (doc, [root, ...path]) => {
  let map = doc.getMap(root);
  for (const key of path) {
    map = map.get(key);
    if (!(map instanceof Y.Map)) throw new Error(`no map at ${JSON.stringify([root, ...path])}`);
  }
  return map;
};

const TYPES = {
  map: (content) => new Y.Map(Object.entries(content ?? {})),
  array: (content) => Y.Array.from(content ?? []),
  text: (content) => new Y.Text(content ?? ''),
  xml: (content) => new Y.XmlText(content ?? ''),
};

// One edit of a plain Yjs user: [verb, path, ...arguments]; the path starts with the root map's name.
const EDITS = {
  set: (doc, path, value) => mapAt(doc, path.slice(0, -1)).set(path.at(-1), value),
  delete: (doc, path) => mapAt(doc, path.slice(0, -1)).delete(path.at(-1)),
  make: (doc, path, type, content) => mapAt(doc, path.slice(0, -1)).set(path.at(-1), TYPES[type](content)),
};

const edit = (doc, edits) => doc.transact(() => edits.forEach(([verb, path, ...rest]) => EDITS[verb](doc, path, ...rest)));

export const documentCommands = {
  'doc.create': (args) => ({clientId: newPeer(args).doc.clientID}),
  'doc.clientId': ({name}) => ({clientId: getPeer(name).doc.clientID}),
  'doc.drop': ({name}) => dropPeer(name),
  'doc.apply': ({name, update}) => Y.applyUpdate(getPeer(name).doc, update, 'driver'),
  'doc.encode': ({name, stateVector}) => Y.encodeStateAsUpdate(getPeer(name).doc, stateVector),
  'doc.stateVector': ({name}) => Y.encodeStateVector(getPeer(name).doc),
  'doc.localUpdates': ({name}) => getPeer(name).local.splice(0),
  'doc.allUpdates': ({name}) => getPeer(name).all.splice(0),
  'doc.content': ({name, path}) => mapAt(getPeer(name).doc, path),
  'doc.edit': ({name, edits}) => edit(getPeer(name).doc, edits),
  'doc.edit.each': ({name, edits}) => edits.forEach((one) => edit(getPeer(name).doc, [one])), // a transaction each
  // Struct and delete counts of an update as yjs reads it, with everything yjs would hold back.
  'doc.pending': ({name}) => {
    const {pendingStructs, pendingDs} = getPeer(name).doc.store;
    return {structs: pendingStructs !== null, deletes: pendingDs !== null};
  },
  'doc.wait': ({name, path, equals, timeout}) => {
    const {doc} = getPeer(name);
    return waitForValue(
      JSON.stringify(path),
      equals,
      timeout,
      () => mapAt(doc, path.slice(0, -1)).get(path.at(-1)),
      (check) => {
        doc.on('afterTransaction', check);
        return () => doc.off('afterTransaction', check);
      },
    );
  },
};

// Waits until what `read()` returns equals a value; what it throws is no value.
export const waitForValue = (what, equals, timeout, read, subscribe) => {
  const wanted = JSON.stringify(canonical(toWire(equals)));
  const current = () => {
    try {
      return JSON.stringify(canonical(toWire(read())));
    } catch (error) {
      return error.message;
    }
  };
  return waitUntil(() => `${what} to be ${wanted}; it is ${current()}`, timeout, () => current() === wanted, subscribe);
};

// Key order is no part of equality.
export const canonical = (value) => {
  if (Array.isArray(value)) return value.map(canonical);
  if (typeof value !== 'object' || value === null) return value;
  const sorted = Object.create(null);
  for (const key of Object.keys(value).sort()) sorted[key] = canonical(value[key]);
  return sorted;
};

export {newPeer};
