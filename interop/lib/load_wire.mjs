// Frames for the load generator of bench_server.mjs, made before the clock runs, and the cheap reading of what a
// server relays: how far the clocks of the writers have come, without a Y.Doc for each receiver.
// Formats: RFC 6455 (masked with a zero key, which leaves the payload as it is), y-protocols, Yjs update v1.
import * as encoding from 'lib0/encoding';

const KEYS = 10; // cells of one writer, written in turn
const FIRST_ID = 1 << 28; // five bytes as a varuint, as nearly all random client ids take

export const writerId = (writer) => FIRST_ID + writer;

export const clientFrame = (payload, opcode = 2) => {
  const size = payload.length;
  const head = size < 126 ? [size | 128] : size < 65536 ? [254, size >> 8, size & 255] : null;
  if (head === null) {
    const long = Buffer.alloc(9);
    long[0] = 255;
    long.writeBigUInt64BE(BigInt(size), 1);
    return Buffer.concat([Buffer.from([128 | opcode]), long, Buffer.alloc(4), payload]);
  }
  return Buffer.concat([Buffer.from([128 | opcode, ...head, 0, 0, 0, 0]), payload]);
};

const message = (dialect, room, write) => {
  const encoder = encoding.createEncoder();
  if (dialect === 'hocuspocus') encoding.writeVarString(encoder, room); // each of its messages names the document
  write(encoder);
  return clientFrame(encoding.toUint8Array(encoder));
};

const sync = (dialect, room, kind, bytes) =>
  message(dialect, room, (encoder) => {
    encoding.writeVarUint(encoder, 0);
    encoding.writeVarUint(encoder, kind);
    encoding.writeVarUint8Array(encoder, bytes);
  });

export const step1 = (dialect, room, bytes = Uint8Array.of(0)) => sync(dialect, room, 0, bytes);
export const emptyStep2 = (dialect, room) => sync(dialect, room, 1, Uint8Array.of(0, 0));
export const updateFrame = (dialect, room, bytes) => sync(dialect, room, 2, bytes);

/** A state vector with one writer in it. */
export const stateVector = (writer, clock) => {
  const encoder = encoding.createEncoder();
  for (const number of [1, writerId(writer), clock]) encoding.writeVarUint(encoder, number);
  return encoding.toUint8Array(encoder);
};

/** What a Hocuspocus 4 provider sends first. */
export const auth = (room) =>
  message('hocuspocus', room, (encoder) => {
    encoding.writeVarUint(encoder, 2);
    encoding.writeVarUint(encoder, 0);
    encoding.writeVarString(encoder, '');
    encoding.writeVarString(encoder, '4.8.0');
  });

/** The awareness state {} of one client, as every provider sends it after connecting. */
export const awareness = (dialect, room, id) =>
  message(dialect, room, (encoder) => {
    const body = encoding.createEncoder();
    for (const number of [1, FIRST_ID + id, 1]) encoding.writeVarUint(body, number);
    encoding.writeVarString(body, '{}');
    encoding.writeVarUint(encoder, 1);
    encoding.writeVarUint8Array(encoder, encoding.toUint8Array(body));
  });

/** One cell written by Yjs: the item at `clock`, which deletes what the cell held before. */
export const cellUpdate = (writer, clock) => {
  const encoder = encoding.createEncoder();
  const id = writerId(writer);
  const uints = (...numbers) => numbers.forEach((number) => encoding.writeVarUint(encoder, number));
  uints(1, 1, id, clock);
  if (clock < KEYS) {
    uints(0x28, 1); // ContentAny, with a key; the parent is a root type
    encoding.writeVarString(encoder, 'cells');
    encoding.writeVarString(encoder, `${writer}-${clock}`);
  } else {
    encoding.writeUint8(encoder, 0xa8); // the same, behind what it replaces
    uints(id, clock - KEYS);
  }
  uints(1);
  encoding.writeAny(encoder, clock);
  if (clock < KEYS) uints(0);
  else uints(1, id, 1, clock - KEYS, 1);
  return encoding.toUint8Array(encoder);
};

/** `count` new cells of one writer in one update. */
export const cellsUpdate = (writer, clock, count) => {
  const encoder = encoding.createEncoder();
  for (const number of [1, count, writerId(writer), clock]) encoding.writeVarUint(encoder, number);
  for (let number = clock; number < clock + count; number++) {
    encoding.writeUint8(encoder, 0x28);
    encoding.writeVarUint(encoder, 1);
    encoding.writeVarString(encoder, 'cells');
    encoding.writeVarString(encoder, `row ${number}`);
    encoding.writeVarUint(encoder, 1);
    encoding.writeAny(encoder, number);
  }
  encoding.writeVarUint(encoder, 0);
  return encoding.toUint8Array(encoder);
};

// One reader for all: a position in a buffer. Clocks and ids of the workload stay below 2 ** 31.
let bytes;
let at = 0;

export const open = (buffer, position) => {
  bytes = buffer;
  at = position;
};

export const uint = () => {
  let byte = bytes[at++];
  let number = byte & 127;
  for (let shift = 7; byte > 127; shift += 7) {
    byte = bytes[at++];
    number |= (byte & 127) << shift;
  }
  return number;
};

/** Pass a varstring or a buffer. */
export const passBytes = () => {
  const size = uint();
  at += size;
};

const passAny = () => {
  const type = bytes[at++];
  if (type === 125 || type === 119) {
    if (type === 119) passBytes();
    else while (bytes[at++] > 127);
  } else if (type === 122 || type === 123) at += 8;
  else if (type === 124) at += 4;
  else throw new Error(`a value of type ${type} is none of this workload`);
};

/** Pass one struct; its length in clocks, negative for a Skip. */
const passStruct = () => {
  const info = bytes[at++];
  const type = info & 31;
  if (type === 0) return uint();
  if (type === 10) return -uint();
  if (info & 0x80) uint(), uint();
  if (info & 0x40) uint(), uint();
  if ((info & 0xc0) === 0) {
    if (uint() === 1) passBytes();
    else uint(), uint();
    if (info & 0x20) passBytes();
  }
  if (type === 1) return uint();
  if (type !== 8) throw new Error(`content of type ${type} is none of this workload`);
  const count = uint();
  for (let number = 0; number < count; number++) passAny();
  return count;
};

/** Call `section(writer, from, to)` for all clocks that the opened update covers. */
export const readClocks = (section) => {
  for (let clients = uint(); clients > 0; clients--) {
    const structs = uint();
    const writer = uint() - FIRST_ID;
    let clock = uint();
    let from = clock;
    for (let number = 0; number < structs; number++) {
      const length = passStruct();
      if (length < 0) {
        if (clock > from) section(writer, from, clock);
        clock -= length;
        from = clock;
      } else clock += length;
    }
    if (clock > from) section(writer, from, clock);
  }
};

/** How many structs the first client of the opened update has; the content is not read. */
export const structsOfFirst = () => (uint() > 0 ? uint() : 0);
