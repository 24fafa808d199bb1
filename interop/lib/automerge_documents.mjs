// Commands on Automerge documents: plain ones, and those of automerge-repo's handles, which look alike here.
// A sync link is one end of a connection in hand: its messages are fetched and given by commands.
import * as A from '@automerge/automerge';
import {waitForValue} from './documents.mjs';
import {addPeer, getPeer} from './peers.mjs';

// As much of automerge-repo's DocHandle as the commands need, on a document without a repo.
class PlainHandle {
  #doc;
  #watchers = new Set();

  constructor(doc) {
    this.#doc = doc;
  }
  doc() {
    return this.#doc;
  }
  async whenReady() {}
  update(change) {
    this.#doc = change(this.#doc);
    this.#watchers.forEach((watcher) => watcher());
  }
  on(_event, watcher) {
    this.#watchers.add(watcher);
  }
  off(_event, watcher) {
    this.#watchers.delete(watcher);
  }
}

export const addDocument = (name, handle) => addPeer({name, handle, links: new Map()});

const create = ({name, data, actor}) => {
  const options = actor === undefined ? {} : {actor: hex(actor)};
  addDocument(name, new PlainHandle(data === undefined ? A.init(options) : A.load(data, options)));
};

const hex = (data) => Buffer.from(data).toString('hex');
const heads = (doc) => A.getHeads(doc).sort().map((head) => new Uint8Array(Buffer.from(head, 'hex')));

const at = (doc, path) => {
  let value = doc;
  for (const key of path) {
    if (!Object.hasOwn(value ?? {}, key)) throw new Error(`nothing at ${JSON.stringify(path)}`);
    value = value[key];
  }
  return value;
};

// What plain JSON values cannot ask for.
const SCALARS = {
  counter: (value) => new A.Counter(value),
  immutable: (value) => new A.ImmutableString(value),
  int: (value) => new A.Int(value),
  uint: (value) => new A.Uint(value),
  float: (value) => new A.Float64(value),
  date: (value) => new Date(value),
};

// One edit: [verb, path, ...arguments].
const EDITS = {
  set: (doc, path, value) => (at(doc, path.slice(0, -1))[path.at(-1)] = value),
  put: (doc, path, type, value) => (at(doc, path.slice(0, -1))[path.at(-1)] = SCALARS[type](value)),
  delete: (doc, path) => delete at(doc, path.slice(0, -1))[path.at(-1)],
  increment: (doc, path, by) => at(doc, path).increment(by),
  insert: (doc, path, index, ...values) => A.insertAt(at(doc, path), index, ...values),
  splice: (doc, path, index, deleted, text) => A.splice(doc, path, index, deleted, text),
  text: (doc, path, text) => A.updateText(doc, path, text),
  mark: (doc, path, range, name, value) => A.mark(doc, path, range, name, value),
  unmark: (doc, path, range, name) => A.unmark(doc, path, range, name),
  block: (doc, path, index, fields) => A.splitBlock(doc, path, index, fields),
};

const edit = ({name, edits, time}) =>
  getPeer(name).handle.update((doc) =>
    A.change(doc, time === undefined ? {} : {time}, (draft) =>
      edits.forEach(([verb, path, ...rest]) => EDITS[verb](draft, path, ...rest)),
    ),
  );

const generate = ({name, link = ''}) => {
  const {handle, links} = getPeer(name);
  const [state, message] = A.generateSyncMessage(handle.doc(), links.get(link) ?? A.initSyncState());
  links.set(link, state);
  return message;
};

const receive = ({name, link = '', message}) => {
  const {handle, links} = getPeer(name);
  handle.update((doc) => {
    const [received, state] = A.receiveSyncMessage(doc, links.get(link) ?? A.initSyncState(), message);
    links.set(link, state);
    return received;
  });
};

const wait = ({name, path, equals, timeout}) => {
  const {handle} = getPeer(name);
  return waitForValue(
    JSON.stringify(path),
    equals,
    timeout,
    () => at(handle.doc(), path),
    (check) => {
      // A document that was found becomes readable only after it tells of its content.
      const given = new AbortController();
      handle.whenReady(['ready'], {signal: given.signal}).then(check, () => {});
      handle.on('heads-changed', check);
      return () => {
        given.abort();
        handle.off('heads-changed', check);
      };
    },
  );
};

export const automergeDocumentCommands = {
  'am.create': create,
  'am.save': ({name}) => A.save(getPeer(name).handle.doc()),
  'am.heads': ({name}) => heads(getPeer(name).handle.doc()),
  'am.actor': ({name}) => new Uint8Array(Buffer.from(A.getActorId(getPeer(name).handle.doc()), 'hex')),
  'am.content': ({name, path = []}) => at(getPeer(name).handle.doc(), path),
  'am.conflicts': ({name, path}) => A.getConflicts(at(getPeer(name).handle.doc(), path.slice(0, -1)), path.at(-1)),
  'am.spans': ({name, path}) => A.spans(getPeer(name).handle.doc(), path),
  'am.cursor': ({name, path, at, move}) => A.getCursor(getPeer(name).handle.doc(), path, at, move),
  'am.cursor.position': ({name, path, cursor}) => A.getCursorPosition(getPeer(name).handle.doc(), path, cursor),
  'am.edit': edit,
  'am.changes': ({name, since = []}) => A.getChangesSince(getPeer(name).handle.doc(), since.map(hex)),
  'am.apply': ({name, changes}) => getPeer(name).handle.update((doc) => A.applyChanges(doc, changes)[0]),
  'am.wait': wait,
  'am.sync.generate': generate,
  'am.sync.receive': receive,
  'am.sync.reset': ({name, link = ''}) => getPeer(name).links.delete(link),
};
