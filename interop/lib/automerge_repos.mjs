// Commands on automerge-repo: repos with websockets, and the handles of their documents.
import * as A from '@automerge/automerge';
import {Presence, Repo, parseAutomergeUrl} from '@automerge/automerge-repo';
import {WebSocketClientAdapter, WebSocketServerAdapter} from '@automerge/automerge-repo-network-websocket';
import {WebSocketServer} from 'ws';
import {addDocument} from './automerge_documents.mjs';
import {canonical, waitForValue} from './documents.mjs';
import {addPeer, getPeer, waitUntil} from './peers.mjs';
import {toWire} from './wire.mjs';

const createRepo = ({name, peerId, announce = true}) => {
  const repo = new Repo({network: [], peerId, sharePolicy: async () => announce});
  const peer = addPeer({name, repo, clients: [], server: null});
  peer.shutDown = async () => {
    peer.clients.forEach(disconnect);
    await unlisten(peer);
  };
  return {peerId: repo.peerId};
};

const connect = ({name, url, retry = 200}) => {
  const {repo, clients} = getPeer(name);
  const adapter = new WebSocketClientAdapter(url, retry);
  clients.push(adapter);
  repo.networkSubsystem.addNetworkAdapter(adapter);
};

const disconnect = (adapter) => {
  if (adapter.socket !== undefined) adapter.disconnect();
};

const listen = async ({name, port = 0}) => {
  const peer = getPeer(name);
  const server = new WebSocketServer({host: '127.0.0.1', port});
  await new Promise((resolve, reject) => server.once('listening', resolve).once('error', reject));
  const adapter = new WebSocketServerAdapter(server);
  peer.server = {server, adapter};
  peer.repo.networkSubsystem.addNetworkAdapter(adapter);
  return {port: server.address().port};
};

const unlisten = async (peer) => {
  if (peer.server === null) return;
  const {server, adapter} = peer.server;
  peer.server = null;
  peer.repo.networkSubsystem.removeNetworkAdapter(adapter);
  await new Promise((resolve) => server.close(resolve));
};

const sockets = ({clients, server}) => [
  ...clients.flatMap(({socket}) => (socket === undefined ? [] : [socket])),
  ...(server?.server.clients ?? []),
];

const addHandle = (name, handle) => {
  const peer = addDocument(name, handle);
  peer.heard = [];
  handle.on('ephemeral-message', ({senderId, message}) => peer.heard.push([senderId, message]));
  peer.shutDown = () => peer.presence?.stop();
  return {url: handle.url, state: handle.state};
};

// A new document of the repo; with `data`, that one, under the URL given or a new one.
const make = ({name, repo: owner, initial, data, url}) => {
  const {repo} = getPeer(owner);
  if (data === undefined) return addHandle(name, repo.create(initial));
  const {documentId: docId} = url === undefined ? {} : parseAutomergeUrl(url);
  const handle = repo.import(data, docId && {docId});
  if (!handle.isReady()) handle.doneLoading();
  return addHandle(name, handle);
};

// A store needs a handle, and a handle a repo: this one has no network, and is synced through links.
export const makeOffline = (name, data) => {
  const handle = new Repo({network: []}).create();
  if (data !== undefined) handle.update(() => A.load(data));
  addHandle(name, handle);
  return getPeer(name);
};

const find = async ({name, repo, url}) =>
  addHandle(name, await getPeer(repo).repo.find(url, {allowableStates: ['ready', 'requesting', 'unavailable']}));

const waitForState = ({name, state, timeout}) => {
  const {handle} = getPeer(name);
  return waitUntil(
    () => `${name} to be ${state}; it is ${handle.state}`,
    timeout,
    () => handle.state === state,
    (check) => {
      // Aborted, it is silent; with a timeout of its own it would write to the console.
      const given = new AbortController();
      handle.whenReady([state], {signal: given.signal}).then(check, () => {});
      return () => given.abort();
    },
  );
};

const waitForPeers = ({name, count, timeout}) => {
  const {repo} = getPeer(name);
  return waitUntil(
    () => `${name} to have ${count} peers; it has ${repo.peers}`,
    timeout,
    () => repo.peers.length === count,
    (check) => {
      const events = ['peer', 'peer-disconnected'];
      events.forEach((event) => repo.networkSubsystem.on(event, check));
      return () => events.forEach((event) => repo.networkSubsystem.off(event, check));
    },
  );
};

const waitForEphemeral = ({name, equals, timeout}) => {
  const {handle, heard} = getPeer(name);
  const said = (value) => JSON.stringify(canonical(toWire(value)));
  return waitUntil(
    () => `${name} to hear ${said(equals)}; it heard ${said(heard)}`,
    timeout,
    () => heard.some(([, message]) => said(message) === said(equals)),
    (check) => {
      handle.on('ephemeral-message', check);
      return () => handle.off('ephemeral-message', check);
    },
  );
};

const startPresence = ({name, state = {}, heartbeatMs, peerTtlMs}) => {
  const peer = getPeer(name);
  peer.presence = new Presence({handle: peer.handle});
  peer.presence.start({initialState: state, heartbeatMs, peerTtlMs});
};

const presenceStates = ({presence}) =>
  Object.fromEntries(Object.entries(presence.getPeerStates().value).map(([id, {value}]) => [id, value]));

const waitForPresence = ({name, equals, timeout}) => {
  const peer = getPeer(name);
  const events = ['update', 'snapshot', 'goodbye', 'pruning'];
  return waitForValue(
    "the peers' states",
    equals,
    timeout,
    () => presenceStates(peer),
    (check) => {
      events.forEach((event) => peer.presence.on(event, check));
      return () => events.forEach((event) => peer.presence.off(event, check));
    },
  );
};

export const automergeRepoCommands = {
  'repo.create': createRepo,
  'repo.connect': connect,
  'repo.listen': listen,
  'repo.unlisten': ({name}) => unlisten(getPeer(name)),
  'repo.disconnect': ({name}) => getPeer(name).clients.forEach(disconnect),
  'repo.reconnect': ({name}) => {
    const {repo, clients} = getPeer(name);
    clients.forEach((adapter) => adapter.connect(repo.peerId, adapter.peerMetadata));
  },
  'repo.close': ({name}) => sockets(getPeer(name)).forEach((socket) => socket.close(1000)),
  // The connections break without a closing handshake, as they do when a laptop is shut.
  'repo.cut': ({name}) => sockets(getPeer(name)).forEach((socket) => socket.terminate()),
  'repo.peers': ({name}) => getPeer(name).repo.peers,
  'repo.peers.wait': waitForPeers,
  'repo.make': make,
  'repo.find': find,
  'repo.state.wait': waitForState,
  'ephemeral.send': ({name, message}) => getPeer(name).handle.broadcast(message),
  'ephemeral.heard': ({name}) => getPeer(name).heard.splice(0),
  'ephemeral.wait': waitForEphemeral,
  'presence.start': startPresence,
  'presence.set': ({name, channel, value}) => getPeer(name).presence.broadcast(channel, value),
  'presence.stop': ({name}) => getPeer(name).presence.stop(),
  'presence.wait': waitForPresence,
};
