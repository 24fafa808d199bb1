// What JSON cannot say, said in JSON. One tagged object per odd value, the same in both directions:
//   {"$number": "-0" | "NaN" | "Infinity" | "-Infinity"}   {"$bigint": "12"}   {"$bytes": base64}
//   {"$undefined": true}   {"$type": "Y.Text", "text": "..."}   a shared type where a plain value was asked for,
//   and likewise "Date", "A.Counter", "A.ImmutableString": Automerge's values that are no JSON
// tests/support/wire.py is the other half.
import * as Y from 'yjs';

// By name, so that Automerge need not be loaded.
const AUTOMERGE_TYPES = new Set(['Counter', 'ImmutableString']);

const ODD_NUMBERS = new Set(['-0', 'NaN', 'Infinity', '-Infinity']);

const numberToWire = (value) => {
  const text = Object.is(value, -0) ? '-0' : String(value);
  return ODD_NUMBERS.has(text) ? {$number: text} : value;
};

export const toWire = (value) => {
  switch (typeof value) {
    case 'undefined':
      return {$undefined: true};
    case 'bigint':
      return {$bigint: value.toString()};
    case 'number':
      return numberToWire(value);
    case 'object':
      break;
    default:
      return value;
  }
  if (value === null) return null;
  if (value instanceof Uint8Array) return {$bytes: Buffer.from(value).toString('base64')};
  if (value instanceof Y.Map) return mapToWire(value.entries());
  if (value instanceof Y.AbstractType) return {$type: `Y.${value.constructor.name.replace(/^_?Y/, '')}`, text: value.toString()};
  if (value instanceof Date) return {$type: 'Date', text: value.toISOString()};
  const type = Object.getPrototypeOf(value)?.constructor?.name;
  if (AUTOMERGE_TYPES.has(type)) return {$type: `A.${type}`, text: value.toString()};
  if (value instanceof Map) return mapToWire(value.entries());
  if (Array.isArray(value)) return value.map(toWire);
  return mapToWire(Object.entries(value));
};

// A null prototype, so that an id such as __proto__ is a key like any other.
const mapToWire = (entries) => {
  const object = Object.create(null);
  for (const [key, value] of entries) object[key] = toWire(value);
  return object;
};

export const fromWire = (value) => {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(fromWire);
  if ('$number' in value) return Number(value.$number);
  if ('$bigint' in value) return BigInt(value.$bigint);
  if ('$bytes' in value) return new Uint8Array(Buffer.from(value.$bytes, 'base64'));
  if ('$undefined' in value) return undefined;
  const object = {};
  for (const [key, item] of Object.entries(value)) {
    // Plain assignment to __proto__ would set the prototype instead of a key.
    Object.defineProperty(object, key, {value: fromWire(item), enumerable: true, writable: true, configurable: true});
  }
  return object;
};
