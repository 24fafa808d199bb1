import {createStore, getUniqueId} from 'tinybase';
import {createYjsPersister} from 'tinybase/persisters/persister-yjs';
import {WebsocketProvider} from 'y-websocket';
import * as Y from 'yjs';

const server = new URLSearchParams(location.search).get('server') ?? 'ws://127.0.0.1:1234';
const store = createStore();
const doc = new Y.Doc();
const provider = new WebsocketProvider(server, 'todo', doc);
provider.once('sync', () => createYjsPersister(store, doc).startAutoPersisting());

const [form, text, list] = ['form', 'input', 'ol'].map((name) => document.querySelector(name));

const show = () =>
  list.replaceChildren(
    ...store.getSortedRowIds('todos', 'made').map((id) => {
      const {text, done} = store.getRow('todos', id);
      const item = document.createElement('li');
      item.textContent = text;
      item.className = done ? 'done' : '';
      item.onclick = () => store.setCell('todos', id, 'done', !done);
      return item;
    }),
  );

store.addTableListener('todos', show); // whoever changes it
form.onsubmit = (event) => {
  event.preventDefault();
  store.setRow('todos', getUniqueId(), {text: text.value, done: false, made: Date.now()});
  form.reset();
};
