// What a page for the tests of weft in a browser loads: Pyodide with weft in it, and JavaScript's TinyBase beside.
// tests/support/browser.py bundles, serves and drives it.
import {loadPyodide} from './pyodide/pyodide.mjs';
import * as tinybase from 'tinybase';
import * as browser from 'tinybase/persisters/persister-browser';
import * as indexedDb from 'tinybase/persisters/persister-indexed-db';
import * as broadcastChannel from 'tinybase/synchronizers/synchronizer-broadcast-channel';
import * as wsClient from 'tinybase/synchronizers/synchronizer-ws-client';

// Names that stand on the page as they do in TinyBase.
Object.assign(globalThis, tinybase, browser, indexedDb, broadcastChannel, wsClient);

const fileHandle = async (name) => (await navigator.storage.getDirectory()).getFileHandle(name, {create: true});
const storages = {local: localStorage, session: sessionStorage};
const request = (made) =>
  new Promise((resolve, reject) => {
    made.onsuccess = () => resolve(made.result);
    made.onerror = () => reject(made.error);
  });
const database = (name) => {
  const opening = indexedDB.open(name, 3);
  opening.onupgradeneeded = () => {
    for (const store of ['t', 'v', 'm']) opening.result.createObjectStore(store, {keyPath: 'k'});
  };
  return request(opening);
};

// TinyBase's persister of a kind of place.
globalThis.createPersister = async (kind, store, name) =>
  kind === 'local' ? createLocalPersister(store, name)
  : kind === 'session' ? createSessionPersister(store, name)
  : kind === 'opfs' ? createOpfsPersister(store, await fileHandle(name))
  : createIndexedDbPersister(store, name, 0.02);
// What stands in a place, round every persister: text, or the entries of each object store.
globalThis.readPlace = async (kind, name) => {
  if (storages[kind]) return storages[kind].getItem(name);
  if (kind === 'opfs') return (await (await fileHandle(name)).getFile()).text();
  const opened = await database(name);
  const all = {};
  for (const store of ['t', 'v', 'm']) all[store] = await request(opened.transaction(store).objectStore(store).getAll());
  opened.close();
  return JSON.parse(JSON.stringify(all, (_, value) => (value === undefined ? '<<undefined>>' : value)));
};
globalThis.writePlace = async (kind, name, raw) => {
  if (storages[kind]) return storages[kind].setItem(name, raw);
  if (kind === 'opfs') {
    const writable = await (await fileHandle(name)).createWritable();
    await writable.write(raw);
    return writable.close();
  }
  const opened = await database(name);
  const undefinedIn = (value) =>
    value === '<<undefined>>' ? undefined
    : Array.isArray(value) ? value.map(undefinedIn)
    : value && typeof value === 'object' ? Object.fromEntries(Object.entries(value).map(([k, v]) => [k, undefinedIn(v)]))
    : value;
  for (const [store, entries] of Object.entries(raw)) {
    for (const entry of entries) await request(opened.transaction(store, 'readwrite').objectStore(store).put(undefinedIn(entry)));
  }
  opened.close();
};

const load = async () => {
  if (location.search === '?js') return; // a page beside, for JavaScript alone
  globalThis.pyodide = await loadPyodide();
  // Without a place to go to, it would be found in the present folder only.
  const packages = '/lib/python3.14/site-packages';
  for (const [name, extractDir] of [['weft', packages], ['site', packages], ['tests', '/tests']]) {
    pyodide.unpackArchive(await (await fetch(`${name}.zip`)).arrayBuffer(), 'zip', {extractDir});
  }
  const {run} = pyodide.pyimport('page_runner');
  // Runs statements of Python, and gives what the last is.
  globalThis.runPython = async (source, args) => JSON.parse(await run(source, JSON.stringify(args)));
};

const AsyncFunction = (async () => {}).constructor;
// Runs the body of a JavaScript function.
globalThis.runJs = (source, args) => new AsyncFunction(...Object.keys(args), source)(...Object.values(args));
globalThis.loaded = load();
