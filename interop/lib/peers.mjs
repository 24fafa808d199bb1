// The peers of one driver process, by name: a Yjs document, an Automerge document or an automerge-repo, and on
// top of it, if asked for, a TinyBase Store with its persister and a y-websocket provider.

const peers = new Map();

export const addPeer = (peer) => {
  if (peers.has(peer.name)) throw new Error(`there is a peer named ${peer.name} already`);
  peers.set(peer.name, peer);
  return peer;
};

export const findPeer = (name) => peers.get(name);

export const getPeer = (name) => {
  const peer = peers.get(name);
  if (peer === undefined) throw new Error(`no peer named ${name}; there are: ${[...peers.keys()].join(', ') || 'none'}`);
  return peer;
};

export const dropPeer = async (name) => {
  const peer = getPeer(name);
  peers.delete(name);
  peer.provider?.destroy();
  await peer.persister?.destroy();
  peer.awareness?.destroy();
  peer.doc?.destroy();
  await peer.shutDown?.();
};

export const dropAllPeers = async () => {
  for (const name of [...peers.keys()]) await dropPeer(name);
};

// Resolves when `test()` is true, asked at once and after each call of the function given to `subscribe`.
// Every wait has an end: a peer that waits for ever would only be seen as a test that was killed.
export const waitUntil = (what, timeout, test, subscribe) =>
  new Promise((resolve, reject) => {
    let unsubscribe = () => {};
    let done = false;
    const finish = (settle, value) => {
      if (done) return;
      done = true;
      clearTimeout(timer);
      unsubscribe();
      settle(value);
    };
    const check = () => {
      try {
        if (test()) finish(resolve, true);
      } catch (error) {
        finish(reject, error);
      }
    };
    const timer = setTimeout(() => finish(reject, new Error(`waited ${timeout} ms in vain: ${what()}`)), timeout);
    unsubscribe = subscribe(check);
    if (done) unsubscribe();
    else check();
  });

// Promise queues of any depth that TinyBase may have pending run out before this resolves.
export const settle = async () => {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
};
