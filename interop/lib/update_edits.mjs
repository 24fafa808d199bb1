// One random edit of a Yjs document: everything that its types can hold, and cuts anywhere in a text.
import * as Y from 'yjs';
import {ROOTS, roots} from './update_reading.mjs';

const WORDS = ['a', 'bc', 'hello ', '😀', '🔴🟢', 'x😀y', 'é', '👨‍👩‍👧', '\ufffd\ufffd', ' ', '漢字', 'z'.repeat(40), '🎉🎉🎉'];
const FORMATS = ['bold', 'color', 'é😀', 'link'];
const KEYS = ['k', 'l', 'é😀', '', '0', '__proto__'];
const TAGS = ['p', 'ul', 'UNDEFINED'];

const PLAIN = [
  null, undefined, true, false, 0, -0, 1, -1, 63, 64, -64, 2 ** 31, -(2 ** 31), 2 ** 53 - 1, 0.5, 0.1, 1e21, NaN,
  Infinity, -Infinity, 12n, 0n, -(2n ** 63n), 2n ** 62n, '', 'a', 'é😀', '\u0000', 'text '.repeat(30),
];

const randomValue = (random, depth = 0) => {
  const kind = random.below(depth > 2 ? 6 : 10);
  if (kind < 6) return random.pick(PLAIN);
  if (kind === 6) return new Uint8Array(random.sample([0, 1, 127, 128, 255], random.below(5)));
  if (kind === 7) return Array.from({length: random.below(4)}, () => randomValue(random, depth + 1));
  const object = {};
  for (const key of random.shuffled(['b', 'a', 'é😀', 'c']).slice(0, random.below(4))) {
    object[key] = randomValue(random, depth + 1);
  }
  return object;
};

// Formats and embeds are JSON in update v1: what JSON cannot say is no part of them.
const JSON_VALUES = [true, 1, 'red', {r: 1, a: [null, {}]}, [1, 2], 0.5, 'é😀', -3];

const formats = (random) => {
  const found = {};
  for (const name of random.sample(FORMATS, random.between(1, 2))) {
    found[name] = random.chance(0.3) ? null : random.pick(JSON_VALUES);
  }
  return found;
};

const randomText = (random, text) => {
  text.insert(0, random.pick(WORDS));
  if (random.chance(0.3)) text.insert(0, random.pick(WORDS), formats(random));
  return text;
};

const element = (random, depth) => {
  const made = new Y.XmlElement(random.pick(TAGS));
  if (random.chance(0.5)) made.setAttribute(random.pick(KEYS) || 'id', random.pick(WORDS));
  if (depth < 2 && random.chance(0.6)) made.insert(0, [xmlChild(random, depth + 1)]);
  return made;
};

const hook = (random) => {
  const made = new Y.XmlHook(random.pick(['hook', 'é😀']));
  if (random.chance(0.5)) made.set('k', randomValue(random));
  return made;
};

const xmlChild = (random, depth = 0) => {
  const kind = random.below(7);
  if (kind < 3) return element(random, depth);
  return kind < 6 ? randomText(random, new Y.XmlText()) : hook(random);
};

// Y.Array refuses these two where they are not inside something else.
const arrayItem = (value) => (value === undefined || typeof value === 'bigint' ? [value] : value);

const nested = (random, depth = 0) => {
  switch (random.below(depth > 1 ? 3 : 7)) {
    case 0:
      return randomText(random, new Y.Text());
    case 1:
      return Y.Array.from([randomValue(random), randomValue(random)].map(arrayItem));
    case 2:
      return new Y.Map([[random.pick(KEYS), randomValue(random)]]);
    case 3:
      return Y.Array.from([1, nested(random, depth + 1)]);
    case 4:
      return new Y.Map([['in', nested(random, depth + 1)], ['v', randomValue(random)]]);
    case 5: {
      const fragment = new Y.XmlFragment();
      fragment.insert(0, [xmlChild(random, depth)]);
      return fragment;
    }
    default:
      return element(random, depth);
  }
};

const subdocument = (random) => {
  const options = {guid: random.pick(['sub-1', 'sub-2', 'é😀']), gc: random.chance(0.7)};
  if (random.chance(0.4)) options.autoLoad = true;
  if (random.chance(0.4)) options.meta = {at: random.below(9), deep: [null, {}]};
  return new Y.Doc(options);
};

const item = (random) => {
  const kind = random.below(10);
  if (kind < 6) return randomValue(random);
  return kind < 9 ? nested(random) : subdocument(random);
};

// --- The edits of each type --------------------------------------------------------------------------------------

const range = (random, length) => {
  const from = random.below(length);
  return [from, random.between(1, Math.min(length - from, random.chance(0.2) ? length : 5))];
};

// The text in code units; what is no text counts as one.
const units = (text) => text.toDelta().map(({insert}) => (typeof insert === 'string' ? insert : '\ufffc')).join('');

const inPair = (content, at) => /^[\ud800-\udbff][\udc00-\udfff]/.test(content.slice(Math.max(at - 1, 0))) && at > 0;

// A format for a range. Where it changes nothing, as null does where nothing is set, Yjs cuts the pair at the edge
// in the document of its writer and tells nobody: such a range gets a value that nothing has yet.
const formatted = (random, text) => {
  const [from, count] = range(random, text.length);
  const content = units(text);
  const cuts = inPair(content, from) || inPair(content, from + count);
  return [from, count, cuts || random.chance(0.3) ? {[random.pick(FORMATS)]: random.below(2 ** 31)} : formats(random)];
};

// What an editor does that compares code units: it puts in the second half of a pair alone.
const replaceHalf = (random, text) => {
  const at = [...units(text).matchAll(/[\ud800-\udbff][\udc00-\udfff]/g)].map((match) => match.index);
  if (at.length === 0) return;
  const half = random.pick(at) + 1;
  text.delete(half, 1);
  text.insert(half, random.pick(['\ude00', '\udfe2']));
};

const editText = (random, text, deep) => {
  const {length} = text;
  const kind = random.below(length === 0 ? 4 : 14);
  if (kind < 3) {
    const given = random.chance(0.25) ? formats(random) : undefined;
    text.insert(random.below(length + 1), random.pick(WORDS), given);
  } else if (kind === 3) {
    const embed = deep && random.chance(0.4) ? nested(random, 1) : {image: random.pick(JSON_VALUES), list: [1, [2]]};
    text.insertEmbed(random.below(length + 1), embed, random.chance(0.5) ? formats(random) : {});
  } else if (kind < 8) {
    text.delete(...range(random, length));
  } else if (kind < 11) {
    text.format(...formatted(random, text));
  } else if (kind === 11) {
    const [from, count, attributes] = formatted(random, text);
    const delta = [{insert: random.pick(WORDS)}, random.chance(0.5) ? {delete: count} : {retain: count, attributes}];
    text.applyDelta(from === 0 ? delta : [{retain: from}, ...delta]);
  } else if (kind === 12) {
    replaceHalf(random, text);
  } else if (random.chance(0.5)) {
    text.setAttribute(random.pick(FORMATS), randomValue(random));
  } else {
    text.removeAttribute(random.pick(FORMATS));
  }
};

// Old clients wrote this content; no type of today's Yjs does.
const insertJson = (random, array) => {
  const {doc} = array;
  const last = array._start === null ? null : [...lastItems(array)].at(-1);
  const json = new Y.ContentJSON(random.sample([1, 'é😀', null, {b: 1, a: [2]}, undefined], random.between(1, 3)));
  doc.transact((transaction) => {
    const id = Y.createID(doc.clientID, Y.getState(doc.store, doc.clientID));
    new Y.Item(id, last, last && last.lastId, null, null, array, null, json).integrate(transaction, 0);
  });
};

const lastItems = function* (type) {
  for (let found = type._start; found !== null; found = found.right) yield found;
};

const editArray = (random, array) => {
  const {length} = array;
  const kind = random.below(length === 0 ? 5 : 9);
  if (kind < 4) array.insert(random.below(length + 1), Array.from({length: random.between(1, 4)}, () => arrayItem(item(random))));
  else if (kind === 4) insertJson(random, array);
  else array.delete(...range(random, length));
};

const editMap = (random, map) => {
  const kind = random.below(10);
  if (kind < 7) map.set(random.pick(KEYS), item(random));
  else if (kind < 9) map.delete(random.pick(KEYS));
  else map.clear();
};

const editXml = (random, parent) => {
  const {length} = parent;
  const kind = random.below(8);
  if (kind < 4 || length === 0) parent.insert(random.below(length + 1), [xmlChild(random)]);
  else if (kind < 6) parent.delete(...range(random, length));
  else if (parent instanceof Y.XmlElement) {
    const key = random.pick(['id', 'class', 'é😀']);
    if (kind === 6) parent.setAttribute(key, random.chance(0.7) ? random.pick(WORDS) : randomValue(random));
    else parent.removeAttribute(key);
  }
};

const insides = (type) => {
  if (type instanceof Y.Text) return type.toDelta().map(({insert}) => insert);
  if (type instanceof Y.Map) return [...type.values()];
  return type.toArray();
};

const addTypes = (type, found) => {
  found.push(type);
  for (const inside of insides(type)) if (inside instanceof Y.AbstractType) addTypes(inside, found);
};

// The roots are edited more often than what is in them, texts more often than the rest.
const chosenType = (random, doc) => {
  if (random.chance(0.3)) return doc.getText(random.chance(0.8) ? ROOTS.text[0] : ROOTS.text[1]);
  if (random.chance(0.4)) return random.pick(roots(doc));
  const found = [];
  for (const root of roots(doc)) addTypes(root, found);
  return random.pick(found);
};

export const edit = (random, doc) => {
  const type = chosenType(random, doc);
  if (type instanceof Y.Text) editText(random, type, !(type instanceof Y.XmlText));
  else if (type instanceof Y.Array) editArray(random, type);
  else if (type instanceof Y.Map) editMap(random, type);
  else editXml(random, type);
};
