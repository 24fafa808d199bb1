// Cloudflare's and PartyKit's runtime on this machine, and TinyBase's own clients of both.
//
// miniflare runs the workers of ../workers on 127.0.0.1. `partykit dev` would bind every address, so PartyKit's own
// worker facade is bundled here with what that would put in place of the names in it.
import {fileURLToPath} from 'node:url';
import v8 from 'node:v8';
import {build} from 'esbuild';
import {Miniflare, NoOpLog} from 'miniflare';
import {PartySocket} from 'partysocket';
import {createMergeableStore, createStore} from 'tinybase';
import {createPartyKitPersister} from 'tinybase/persisters/persister-partykit-client';
import {createWsSynchronizer} from 'tinybase/synchronizers/synchronizer-ws-client';
import {WebSocket} from 'ws';
import {addPeer, getPeer, waitUntil} from './peers.mjs';

const worker = (name) => fileURLToPath(new URL(`../workers/${name}.mjs`, import.meta.url));
const FACADE = fileURLToPath(new URL('../node_modules/partykit/dist/generated.js', import.meta.url));
const CLASSES = ['Kv', 'KvPrefix', 'Json', 'JsonNamed', 'Fragmented', 'FragmentedPrefix'];

const inPlace = {
  name: 'what partykit puts in place',
  setup: ({onResolve, onLoad}) => {
    onResolve({filter: /^__WORKER__$/}, () => ({path: worker('partykit')}));
    onResolve({filter: /^__STATIC_ASSETS_MANIFEST__$/}, () => ({path: 'manifest', namespace: 'none'}));
    onLoad({filter: /./, namespace: 'none'}, () => ({contents: 'export default {assets: {}}'}));
  },
};

const bundles = new Map();
const bundle = async (kind) => {
  if (!bundles.has(kind)) {
    const {outputFiles} = await build({
      entryPoints: [kind === 'partykit' ? FACADE : worker('durable_objects')],
      bundle: true,
      write: false,
      format: 'esm',
      target: 'es2022',
      logLevel: 'error',
      external: ['cloudflare:workers'],
      conditions: ['partykit', 'workerd', 'worker'],
      define: {__R2_BINDINGS__: '[]', __KV_BINDINGS__: '[]', __PARTIES__: '{}', PARTYKIT_HOST: '"127.0.0.1"'},
      plugins: [inPlace],
    });
    bundles.set(kind, outputFiles[0].text);
  }
  return bundles.get(kind);
};

const serve = async ({name, kind, dir, port = 0}) => {
  const names = kind === 'partykit' ? {PARTYKIT_DURABLE: 'PartyKitDurable'} : Object.fromEntries(CLASSES.map((c) => [c, c]));
  const flare = new Miniflare({
    host: '127.0.0.1',
    port,
    log: new NoOpLog(),
    handleRuntimeStdio: (out, err) => [out, err].forEach((stream) => stream.resume()),
    compatibilityDate: '2025-01-01',
    modules: [{type: 'ESModule', path: 'worker.mjs', contents: await bundle(kind)}],
    durableObjects: Object.fromEntries(
      Object.entries(names).map(([binding, className]) => [binding, {className, useSQLite: kind !== 'partykit'}]),
    ),
    durableObjectsPersist: dir,
  });
  const url = await flare.ready;
  addPeer({name, shutDown: () => flare.dispose()});
  return Number(url.port);
};

const join = async ({name, port, room, config = 'http', initial = [{}, {}]}) => {
  const socket = new PartySocket({host: `127.0.0.1:${port}`, room, WebSocket, maxReconnectionDelay: 200, minReconnectionDelay: 50});
  const peer = addPeer({name, store: createStore(), ignored: []});
  peer.persister = createPartyKitPersister(peer.store, socket, config, (error) => peer.ignored.push(String(error?.status ?? error)));
  peer.shutDown = () => socket.close();
  await new Promise((resolve) => socket.addEventListener('open', resolve, {once: true}));
  await peer.persister.startAutoPersisting(initial);
};

const sync = async ({name, url}) => {
  const peer = addPeer({name, store: createMergeableStore(name), ignored: []});
  peer.persister = await createWsSynchronizer(peer.store, new WebSocket(url), 1, null, null, (error) => peer.ignored.push(String(error)));
  await peer.persister.startSync();
};

export const hostedCommands = {
  'hosted.serve': serve,
  'hosted.join': join,
  'hosted.sync': sync,
  'hosted.serialize': ({values}) => values.map((value) => v8.serialize(value)),
  'hosted.deserialize': ({buffers}) => buffers.map((buffer) => v8.deserialize(buffer)),
  'hosted.ignored': ({name}) => getPeer(name).ignored,
  'hosted.call': async ({name, on = 'store', method, args = []}) => {
    const peer = getPeer(name);
    const result = await peer[on][method](...args);
    return result === peer.store || result === peer.persister ? null : result;
  },
  // Until a method of the Store gives this.
  'hosted.wait': ({name, method, args = [], equals, timeout}) => {
    const {store} = getPeer(name);
    const wanted = JSON.stringify(equals);
    const now = () => JSON.stringify(store[method](...args));
    return waitUntil(() => `${name}.${method}() to be ${wanted}, it is ${now()}`, timeout, () => now() === wanted, (check) => {
      const id = store.addDidFinishTransactionListener(check);
      return () => store.delListener(id);
    });
  },
};
