// Commands on TinyBase's MergeableStores and their synchronizers over websockets, of three versions of TinyBase.
// What is in the Store is asked for with the commands on Stores.
import {WebSocket} from 'ws';
import {addPeer, getPeer, waitUntil} from './peers.mjs';

const PACKAGES = {10: 'tinybase', 8: 'tinybase-8', 6: 'tinybase-6'};

const create = async ({name, version = 10, tables = {}, values = {}}) => {
  const tinybase = await import(PACKAGES[version]);
  const {createWsSynchronizer} = await import(`${PACKAGES[version]}/synchronizers/synchronizer-ws-client`);
  const store = tinybase.createMergeableStore().setTables(tables).setValues(values);
  const peer = addPeer({name, version, store, log: [], ignoredErrors: [], createWsSynchronizer});
  peer.shutDown = () => disconnect(peer);
};

const opened = (socket) =>
  new Promise((resolve, reject) => {
    socket.once('open', resolve);
    socket.once('error', reject);
  });

// With `channel` the socket speaks of channels; `beside` is a peer that has one already, which is shared.
const connect = async ({name, url, channel, beside, fragmentSize, timeout = 1}) => {
  const peer = getPeer(name);
  if (beside === undefined) {
    peer.socket = new WebSocket(url, channel === undefined ? [] : ['tinybase']);
    peer.closed = undefined;
    peer.socket.once('close', (code, reason) => (peer.closed = [code, String(reason)]));
    await opened(peer.socket);
  } else peer.socket = getPeer(beside).socket;
  const onError = (error) => peer.ignoredErrors.push(String(error));
  peer.synchronizer = await peer.createWsSynchronizer(
    peer.store,
    peer.socket,
    ...(channel === undefined ? [] : [channel]),
    timeout,
    undefined,
    undefined,
    onError,
    fragmentSize,
  );
  await peer.synchronizer.startSync();
};

// What was deleted is U+FFFC, as in TinyBase's own JSON text.
const textOf = (stamps) => JSON.stringify(stamps, (_, each) => (each === undefined ? '\ufffc' : each));

const disconnect = async (peer) => {
  const {synchronizer} = peer;
  peer.synchronizer = undefined;
  await synchronizer?.destroy();
};

export const synchronizerCommands = {
  'sync.create': create,
  'sync.connect': connect,
  'sync.disconnect': ({name}) => disconnect(getPeer(name)),
  // The connection breaks without a closing handshake.
  'sync.cut': ({name}) => getPeer(name).socket.terminate(),
  'sync.pause': ({name}) => getPeer(name).socket.pause(),
  'sync.resume': ({name}) => getPeer(name).socket.resume(),
  // One transaction; the stamps that it made, as JSON text.
  'sync.write': ({name, calls}) => {
    const {store} = getPeer(name);
    let stamps;
    const id = store.addDidFinishTransactionListener(() => (stamps = store.getTransactionMergeableChanges()));
    store.transaction(() => calls.forEach(([method, ...args]) => store[method](...args)));
    store.delListener(id);
    return textOf(stamps);
  },
  'sync.content': ({name}) => textOf(getPeer(name).store.getMergeableContent()),
  'sync.hashes': ({name}) => getPeer(name).store.getMergeableContentHashes(),
  'sync.closed': ({name, timeout}) => {
    const peer = getPeer(name);
    return waitUntil(
      () => `${name} to be closed`,
      timeout,
      () => peer.closed !== undefined,
      (check) => {
        peer.socket.on('close', check);
        return () => peer.socket.off('close', check);
      },
    ).then(() => peer.closed);
  },
};
