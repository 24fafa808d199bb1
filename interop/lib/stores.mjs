// Commands on TinyBase Stores, alone or kept in a document; here by createYjsPersister.
import {createStore} from 'tinybase';
import {createYjsPersister} from 'tinybase/persisters/persister-yjs';
import {newPeer, waitForValue} from './documents.mjs';
import {getPeer, settle} from './peers.mjs';

// Give a peer a Store, with the persister that `persisterOf(store, onIgnoredError)` makes.
export const addStore = async (peer, persisterOf, {persist = true, autoLoad = true, autoSave = true, initial}) => {
  peer.store = createStore();
  peer.log = [];
  peer.ignoredErrors = [];
  if (persist) {
    peer.persister = persisterOf(peer.store, (error) => peer.ignoredErrors.push(String(error)));
    if (autoLoad) await peer.persister.startAutoLoad(initial);
    if (autoSave) await peer.persister.startAutoSave();
  }
};

const create = async ({name, clientId, mapName = 'tinybase', ...options}) => {
  const peer = newPeer({name, clientId});
  await addStore(peer, (store, onError) => createYjsPersister(store, peer.doc, mapName, onError), options);
  return {clientId: peer.doc.clientID};
};

const call = (object, method, args) => {
  if (typeof object[method] !== 'function') throw new Error(`no method named ${method}`);
  return object[method](...args);
};

// TinyBase's own fluent returns would serialise the whole Store: only results that are data go back.
const result = (object, value) => (value === object ? undefined : value);

// Listener arguments start with the Store, which is left out; a function among them (getCellChange) too.
const listen = (peer, {label, method, args, mutator}) => {
  const record = (_store, ...rest) =>
    peer.log.push([label, ...rest.filter((item) => typeof item !== 'function')]);
  return peer.store[method](...args, record, ...(mutator === undefined ? [] : [mutator]));
};

export const storeCommands = {
  'store.create': create,
  'store.call': ({name, method, args = []}) => {
    const {store} = getPeer(name);
    return result(store, call(store, method, args));
  },
  // Several calls in one tick, each its own transaction: what a synchronous program does.
  'store.calls': ({name, calls}) => {
    const {store} = getPeer(name);
    return calls.map(([method, ...args]) => result(store, call(store, method, args)));
  },
  'store.transaction': ({name, calls}) => {
    const {store} = getPeer(name);
    return store.transaction(() => calls.map(([method, ...args]) => result(store, call(store, method, args))));
  },
  'store.listen': (args) => listen(getPeer(args.name), args),
  'store.log': ({name}) => getPeer(name).log.splice(0),
  'store.ignoredErrors': ({name}) => getPeer(name).ignoredErrors.splice(0),
  'store.wait': ({name, method, args = [], equals, timeout}) => {
    const {store} = getPeer(name);
    return waitForValue(
      `${method}(${JSON.stringify(args)})`,
      equals,
      timeout,
      () => call(store, method, args),
      (check) => {
        const id = store.addDidFinishTransactionListener(check);
        return () => store.delListener(id);
      },
    );
  },
  'persister.call': async ({name, method, args = []}) => {
    const {persister} = getPeer(name);
    return result(persister, await call(persister, method, args));
  },
  settle,
};
