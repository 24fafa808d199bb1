// TinyBase Stores kept in an Automerge document by createAutomergePersister.
import {createAutomergePersister} from 'tinybase/persisters/persister-automerge';
import {makeOffline} from './automerge_repos.mjs';
import {findPeer} from './peers.mjs';
import {addStore} from './stores.mjs';

// On the document of a peer that is there, or else on a new one (or `data`), synced through links.
const create = async ({name, data, docName = 'tinybase', ...options}) => {
  const peer = findPeer(name) ?? makeOffline(name, data);
  await addStore(peer, (store, onError) => createAutomergePersister(store, peer.handle, docName, onError), options);
  return {url: peer.handle.url};
};

export const automergeStoreCommands = {'am.store': create};
