// All that can be seen of a document, as one text: two documents are the same if and only if it is.
//
// Kept apart: 12n and 12, -0 and 0, undefined and null and absent, the order of an object's keys. Not kept apart,
// because Yjs itself lets it depend on the order of arrival: the order of a Y.Map's keys and of a format's names.
// Half a surrogate pair reads as U+FFFD: its writer's document has the half, everybody else's has U+FFFD.
import * as Y from 'yjs';

export const ROOTS = {
  text: ['t', 'é😀'],
  array: ['a'],
  map: ['m', ''],
  xml: ['x'],
};

export const roots = (doc) => [
  ...ROOTS.text.map((name) => doc.getText(name)),
  ...ROOTS.array.map((name) => doc.getArray(name)),
  ...ROOTS.map.map((name) => doc.getMap(name)),
  ...ROOTS.xml.map((name) => doc.getXmlFragment(name)),
];

const text = (value) => JSON.stringify(value.toWellFormed());

const byKey = (entries) =>
  [...entries]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${text(key)}:${readValue(value)}`)
    .join();

export const readValue = (value) => {
  switch (typeof value) {
    case 'bigint':
      return `${value}n`;
    case 'number':
      return Object.is(value, -0) ? '-0' : String(value);
    case 'string':
      return text(value);
    case 'object':
      break;
    default:
      return String(value);
  }
  if (value === null) return 'null';
  if (Array.isArray(value)) return `[${value.map(readValue).join()}]`;
  if (value instanceof Uint8Array) return `bytes(${Buffer.from(value).toString('hex')})`;
  if (value instanceof Y.AbstractType) return readType(value);
  if (value instanceof Y.Doc) {
    return `doc(${text(value.guid)},${value.gc},${value.autoLoad},${readValue(value.meta)},${value.collectionid})`;
  }
  return `{${Object.entries(value)
    .map(([key, item]) => `${text(key)}:${readValue(item)}`)
    .join()}}`;
};

// Neighbours with the same formats are one piece, however they came.
const readDelta = (type, snapshot) => {
  let pieces = '';
  let last = null;
  for (const {insert, attributes} of type.toDelta(snapshot)) {
    const formats = byKey(Object.entries(attributes ?? {}));
    if (typeof insert === 'string' && last === formats) {
      pieces += insert.toWellFormed();
    } else {
      pieces += `|${formats}|${typeof insert === 'string' ? insert.toWellFormed() : readValue(insert)}`;
    }
    last = typeof insert === 'string' ? formats : null;
  }
  return pieces;
};

export const readType = (type) => {
  if (type instanceof Y.Text) {
    return `${type.constructor.name}(${text(readDelta(type))},${byKey(Object.entries(type.getAttributes()))})`;
  }
  if (type instanceof Y.Array) return `Array(${type.toArray().map(readValue).join()})`;
  if (type instanceof Y.XmlHook) return `Hook(${text(type.hookName)},${byKey(type.entries())})`;
  if (type instanceof Y.Map) return `Map(${byKey(type.entries())})`;
  if (type instanceof Y.XmlElement) {
    const attributes = byKey(Object.entries(type.getAttributes()));
    return `Element(${text(type.nodeName)},${attributes},${type.toArray().map(readType).join()})`;
  }
  if (type instanceof Y.XmlFragment) return `Fragment(${type.toArray().map(readType).join()})`;
  return `?${type.constructor.name}`;
};

export const readContent = (doc) =>
  `${roots(doc).map(readType).join('\n')}\n${ROOTS.xml.map((name) => text(doc.getXmlFragment(name).toString()))}`;

// --- Clocks and deletions ----------------------------------------------------------------------------------------

export const readVector = (vector) =>
  [...vector]
    .filter(([, clock]) => clock > 0)
    .sort(([a], [b]) => a - b)
    .map(([client, clock]) => `${client}:${clock}`)
    .join();

// Ranges in order, joined where they touch or overlap.
export const readRanges = (clients) =>
  [...clients]
    .sort(([a], [b]) => a - b)
    .map(([client, ranges]) => {
      const joined = [];
      for (const {clock, len} of [...ranges].sort((a, b) => a.clock - b.clock)) {
        const last = joined.at(-1);
        if (len === 0) continue;
        if (last !== undefined && clock <= last[1]) last[1] = Math.max(last[1], clock + len);
        else joined.push([clock, clock + len]);
      }
      return joined.length === 0 ? '' : `${client}:${joined.map(([from, to]) => `${from}-${to}`).join('+')}`;
    })
    .filter((line) => line !== '')
    .join();

export const stateOf = (doc) => readVector(doc.store.clients.size === 0 ? [] : Y.decodeStateVector(Y.encodeStateVector(doc)));

export const deletesOf = (doc) => readRanges(Y.createDeleteSetFromStructStore(doc.store).clients);

export const deletesIn = (updates) => {
  const all = new Map();
  for (const update of updates) {
    for (const [client, ranges] of Y.decodeUpdate(update).ds.clients) {
      all.set(client, [...(all.get(client) ?? []), ...ranges]);
    }
  }
  return readRanges(all);
};
