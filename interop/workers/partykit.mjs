// A PartyKit room of TinyBase's own class. It takes no cell `forbidden`, lets nobody delete one named `locked`, and
// in the table `strict` takes no row at all. Rooms whose name begins with "configured"
// have a path and prefixes of their own. GET /storage gives what it has stored, key by key.
import {TinyBasePartyKitServer} from 'tinybase/persisters/persister-partykit-server';

export default class extends TinyBasePartyKitServer {
  constructor(party) {
    super(party);
    if (party.id.startsWith('configured')) {
      Object.assign(this.config, {storePath: '/content', messagePrefix: 'm/', storagePrefix: 'p_'});
    }
  }
  async onRequest(request) {
    if (!request.url.endsWith('/storage')) return super.onRequest(request);
    if (request.method === 'DELETE') await this.party.storage.deleteAll();
    return Response.json([...(await this.party.storage.list())]);
  }
  async canSetRow(tableId) {
    return tableId !== 'strict';
  }
  async canSetCell(_tableId, _rowId, cellId) {
    return cellId !== 'forbidden';
  }
  async canDelCell(_tableId, _rowId, cellId) {
    return cellId !== 'locked';
  }
}
