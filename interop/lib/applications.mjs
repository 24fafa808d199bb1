// Applications whose documents have shapes of their own: written with plain Yjs, SyncedStore and Valtio.
import {WebSocket} from 'ws';
import {WebsocketProvider} from 'y-websocket';
import * as Y from 'yjs';
import {waitUntil} from './peers.mjs';

const open = new Map();

const asMap = (object) => {
  const made = new Y.Map();
  for (const [key, value] of Object.entries(object)) made.set(key, value);
  return made;
};

// What each does with its todos (a list of maps), shapes (a map of maps) and settings (a map).
const libraries = {
  yjs: (doc) => ({
    add: (todo) => doc.getArray('todos').push([asMap(todo)]),
    change: (id, key, value) =>
      doc.getArray('todos').toArray().find((todo) => todo.get('id') === id)?.set(key, value),
    remove: (id) => {
      const index = doc.getArray('todos').toArray().findIndex((todo) => todo.get('id') === id);
      if (index >= 0) doc.getArray('todos').delete(index, 1);
    },
    shape: (id, shape) => doc.getMap('shapes').set(id, asMap(shape)),
    reshape: (id, key, value) => doc.getMap('shapes').get(id)?.set(key, value),
    set: (key, value) => doc.getMap('settings').set(key, value),
    foreign: (value) => doc.getMap('foreign').set('list', Y.Array.from(value)),
  }),
  syncedstore: async (doc) => {
    const {syncedStore} = await import('@syncedstore/core');
    const store = syncedStore({todos: [], shapes: {}, settings: {}, foreign: {}}, doc);
    return {
      add: (todo) => store.todos.push(todo),
      change: (id, key, value) => {
        const todo = store.todos.find((each) => each.id === id);
        if (todo) todo[key] = value;
      },
      remove: (id) => {
        const index = store.todos.findIndex((each) => each.id === id);
        if (index >= 0) store.todos.splice(index, 1);
      },
      shape: (id, shape) => {
        store.shapes[id] = shape;
      },
      reshape: (id, key, value) => {
        if (store.shapes[id]) store.shapes[id][key] = value;
      },
      set: (key, value) => {
        store.settings[key] = value;
      },
      foreign: (value) => {
        store.foreign.list = value;
      },
    };
  },
  valtio: async (doc) => {
    const [{proxy}, {bind}] = await Promise.all([import('valtio/vanilla'), import('valtio-yjs')]);
    const [todos, shapes, settings, foreign] = [proxy([]), proxy({}), proxy({}), proxy({})];
    bind(todos, doc.getArray('todos'));
    bind(shapes, doc.getMap('shapes'));
    bind(settings, doc.getMap('settings'));
    bind(foreign, doc.getMap('foreign'));
    return {
      add: (todo) => todos.push(todo),
      change: (id, key, value) => {
        const todo = todos.find((each) => each.id === id);
        if (todo) todo[key] = value;
      },
      remove: (id) => {
        const index = todos.findIndex((each) => each.id === id);
        if (index >= 0) todos.splice(index, 1);
      },
      shape: (id, shape) => {
        shapes[id] = shape;
      },
      reshape: (id, key, value) => {
        if (shapes[id]) shapes[id][key] = value;
      },
      set: (key, value) => {
        settings[key] = value;
      },
      foreign: (value) => {
        foreign.list = value;
      },
    };
  },
};

const read = ({doc}) => ({
  todos: doc.getArray('todos').toJSON(),
  shapes: doc.getMap('shapes').toJSON(),
  settings: doc.getMap('settings').toJSON(),
  foreign: doc.getMap('foreign').toJSON(),
});

const byId = (content) => ({...content, todos: Object.fromEntries(content.todos.map((todo) => [todo.id, todo]))});

// JSON text in which the order of keys does not matter.
const inOrder = (value) =>
  JSON.stringify(value, (_key, each) =>
    each && typeof each === 'object' && !Array.isArray(each) ? Object.fromEntries(Object.entries(each).sort()) : each,
  );

export const applicationCommands = {
  'app.open': async ({name, library, url, room}) => {
    const doc = new Y.Doc();
    const provider = new WebsocketProvider(url, room, doc, {WebSocketPolyfill: WebSocket, disableBc: true});
    const synced = new Promise((resolve) => provider.once('sync', resolve));
    open.set(name, {doc, provider, does: await libraries[library](doc)});
    await synced;
  },
  // Valtio hands on what was done a microtask later.
  'app.do': async ({name, what, args}) => {
    open.get(name).does[what](...args);
    await new Promise((resolve) => setTimeout(resolve, 0));
  },
  'app.read': ({name}) => read(open.get(name)),
  'app.connected': ({name, connected}) => {
    const {provider} = open.get(name);
    if (connected) provider.connect();
    else provider.disconnect();
  },
  // Until it has these todos (in any order), shapes and settings.
  'app.wait': ({name, wanted, timeout}) => {
    const peer = open.get(name);
    const has = () => inOrder(byId(read(peer))) === inOrder({foreign: read(peer).foreign, ...wanted});
    const hear = (look) => {
      peer.doc.on('update', look);
      return () => peer.doc.off('update', look);
    };
    return waitUntil('the same content', timeout, has, hear);
  },
  'app.close': ({name}) => {
    const {doc, provider} = open.get(name);
    provider.destroy();
    doc.destroy();
    open.delete(name);
  },
};
