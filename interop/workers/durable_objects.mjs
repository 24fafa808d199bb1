// Durable Objects of TinyBase's own class, one for each form in which they can keep a MergeableStore. The first part of
// the path names the class. A plain HTTP request wakes an object and gives what its Store holds.
import {createMergeableStore} from 'tinybase';
import {createDurableObjectSqlStoragePersister} from 'tinybase/persisters/persister-durable-object-sql-storage';
import {createDurableObjectStoragePersister} from 'tinybase/persisters/persister-durable-object-storage';
import {WsServerDurableObject} from 'tinybase/synchronizers/synchronizer-ws-server-durable-object';

const objectOf = (makePersister) =>
  class extends WsServerDurableObject {
    createPersister() {
      this.store = createMergeableStore('object');
      return makePersister(this.store, this.ctx.storage);
    }
    fetch(request) {
      if (request.headers.get('upgrade') === 'websocket') return super.fetch(request);
      const [, , , tableId, rowId, cellId, cell] = new URL(request.url).pathname.split('/');
      if (cell !== undefined) this.store.setCell(tableId, rowId, cellId, cell);
      return Response.json({content: this.store.getMergeableContent(), json: this.store.getJson()});
    }
  };

export const Kv = objectOf((store, storage) => createDurableObjectStoragePersister(store, storage));
export const KvPrefix = objectOf((store, storage) => createDurableObjectStoragePersister(store, storage, 'tb_'));
export const Json = objectOf((store, {sql}) => createDurableObjectSqlStoragePersister(store, sql));
export const JsonNamed = objectOf((store, {sql}) =>
  createDurableObjectSqlStoragePersister(store, sql, {mode: 'json', storeTableName: 'my_store'}));
export const Fragmented = objectOf((store, {sql}) =>
  createDurableObjectSqlStoragePersister(store, sql, {mode: 'fragmented'}));
export const FragmentedPrefix = objectOf((store, {sql}) =>
  createDurableObjectSqlStoragePersister(store, sql, {mode: 'fragmented', storagePrefix: 'My-é'}));

export default {
  fetch(request, env) {
    const [, name, room] = new URL(request.url).pathname.split('/');
    return env[name].get(env[name].idFromName(room)).fetch(request);
  },
};
