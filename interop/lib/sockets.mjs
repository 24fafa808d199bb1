// Commands on y-websocket providers and their awareness.
import {WebSocket} from 'ws';
import {Awareness} from 'y-protocols/awareness';
import {WebsocketProvider} from 'y-websocket';
import {waitForValue} from './documents.mjs';
import {getPeer, waitUntil} from './peers.mjs';

const CONDITIONS = {
  synced: ({provider}) => provider.synced,
  connected: ({provider}) => provider.wsconnected,
  disconnected: ({provider}) => !provider.wsconnected,
  closed: ({closed}) => closed !== null,
};

const EVENTS = ['sync', 'status', 'closed', 'connection-close'];

const connect = ({name, url, room, params = {}, maxBackoffTime = 200, awareness = true}) => {
  const peer = getPeer(name);
  if (peer.provider !== undefined) throw new Error(`${name} has a provider already`);
  peer.awareness ??= new Awareness(peer.doc);
  // A provider whose local awareness is null is the one that servers without a keep-alive lose every 30 s.
  if (!awareness) peer.awareness.setLocalState(null);
  peer.closed = null;
  peer.closeCodes = [];
  peer.provider = new WebsocketProvider(url, room, peer.doc, {
    awareness: peer.awareness,
    params,
    maxBackoffTime,
    disableBc: true, // peers of one process must not find each other beside the server
    WebSocketPolyfill: WebSocket,
    connect: false,
  });
  peer.provider.on('closed', (event) => (peer.closed = event));
  peer.provider.on('connection-close', (event) => peer.closeCodes.push(event === null ? null : event.code));
  peer.provider.connect();
};

const states = ({awareness}) => new Map([...awareness.getStates()].map(([id, state]) => [String(id), state]));

export const socketCommands = {
  'socket.connect': connect,
  'socket.wait': ({name, condition, timeout}) => {
    const peer = getPeer(name);
    const {provider} = peer;
    return waitUntil(
      () => `${name} to be ${condition}; synced ${provider.synced}, connected ${provider.wsconnected}, close codes ${peer.closeCodes}`,
      timeout,
      () => CONDITIONS[condition](peer),
      (check) => {
        EVENTS.forEach((event) => provider.on(event, check));
        return () => EVENTS.forEach((event) => provider.off(event, check));
      },
    );
  },
  'socket.disconnect': ({name}) => getPeer(name).provider.disconnect(),
  'socket.reconnect': ({name}) => getPeer(name).provider.connect(),
  // The connection breaks without a closing handshake, as it does when a laptop is shut.
  'socket.cut': ({name}) => getPeer(name).provider.ws?.terminate(),
  'socket.status': ({name}) => {
    const {provider, closed, closeCodes} = getPeer(name);
    return {synced: provider.synced, connected: provider.wsconnected, closed, closeCodes};
  },
  'awareness.set': ({name, state}) => getPeer(name).awareness.setLocalState(state),
  'awareness.setField': ({name, field, value}) => getPeer(name).awareness.setLocalStateField(field, value),
  'awareness.states': ({name}) => states(getPeer(name)),
  'awareness.wait': ({name, clientId, equals, timeout}) => {
    const {awareness} = getPeer(name);
    return waitForValue(
      `the state of ${clientId}`,
      equals,
      timeout,
      () => awareness.getStates().get(clientId),
      (check) => {
        awareness.on('change', check);
        return () => awareness.off('change', check);
      },
    );
  },
};
