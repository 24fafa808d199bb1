// The load generator of `python -m benchmarks tinybase`: one case against one server, the same for both.
// Argument: JSON {case, url, pids, ...sizes}. Prints one JSON object with the figures. Joins and latency are those of
// TinyBase's own clients; the many of a fan-out are sockets without a Store, which count by what the cells hold: a
// server may merge changes as it likes.
import {createMergeableStore} from 'tinybase';
import {createWsSynchronizer} from 'tinybase/synchronizers/synchronizer-ws-client';
import {WebSocket} from 'ws';
import {LoadSocket} from './lib/load_socket.mjs';
import {clientFrame} from './lib/load_wire.mjs';
import {cpuMs, residentKb} from './lib/load_process.mjs';
import {cellIds, rowIds} from './lib/workload.mjs';

const {url, pids, case: name, ...sizes} = JSON.parse(process.argv[2]);
const now = () => performance.now();
const until = (moment) => new Promise((resolve) => setTimeout(resolve, Math.max(0, moment - now())));
const fail = (reason) => {
  process.stderr.write(`${reason}\n`);
  process.exit(1);
};
const frame = (text) => clientFrame(Buffer.from(text), 1);

const ALPHABET = '-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz';
const BEGAN = Date.now() - 60_000;
/** A stamp of a writer's clock. */
const hlc = (writer, clock) => {
  let text = '';
  for (let time = BEGAN + clock, left = 7; left > 0; left--, time = Math.floor(time / 64)) text = ALPHABET[time % 64] + text;
  return `${text}----bench`.slice(0, 15) + ALPHABET[writer];
};
const changes = (tables) => `\n["benchchange",3,[[${tables}],[{}],1]]`;

/** A socket in a room, that asks the server's store a question and has been answered. */
class Client {
  onText = null;
  isOpen = false;

  open(room) {
    return new Promise((resolve, reject) => {
      this.socket = new LoadSocket(url, `/${room}`, {
        onOpen: () => this.socket.write(frame('\n["bench.hello",1,""]')),
        onMessage: (buffer, start, end) => {
          this.onText?.(buffer, start, end);
          // TinyBase's server keeps what comes before its store is there, and joins it.
          if (!this.isOpen && buffer.includes('bench.hello",0', start) && end > start) resolve((this.isOpen = true));
        },
        onFault: (reason) => {
          reject(new Error(reason));
          fail(reason);
        },
      });
    });
  }

  /** Ask, and wait for an answer of at least so many bytes: the frame's text. */
  ask(question, least = 0) {
    return new Promise((resolve) => {
      this.onText = (buffer, start, end) => {
        if (end - start >= least) resolve(buffer.toString('latin1', start, end));
      };
      this.socket.write(frame(question));
    });
  }
}

/** Bring cells into a room, of which somebody stays in it. */
const filled = async (room, cells) => {
  const client = new Client();
  await client.open(room);
  const stamp = hlc(0, 0);
  let value = 0;
  const rows = rowIds(cells).map((row) => `"${row}":[{${cellIds.map((id) => `"${id}":[${value++},"${stamp}"]`)}}]`);
  client.socket.write(frame(changes(`{"t":[{${rows}}]}`)));
  for (;;) if (!/\[0,0\]|\[\{/.test(await client.ask('S\n["bench.has",1,""]'))) return client;
};

const joined = async (room) => {
  const store = createMergeableStore();
  const synchronizer = await createWsSynchronizer(store, new WebSocket(`${url}/${room}`), 60);
  await synchronizer.startSync();
  return {store, synchronizer};
};

const percentiles = (times) => {
  times.sort((a, b) => a - b);
  return {p50: times[times.length >> 1], p99: times[Math.floor(times.length * 0.99)]};
};

const cases = {
  /** A fresh client of a large room: TinyBase's own, and the same questions without a Store. */
  async join({cells, rounds}) {
    const before = residentKb(pids);
    const seed = await filled('large', cells);
    const memory = (residentKb(pids) - before) / 1024;
    const times = [];
    const answers = [];
    for (let round = 0; round < rounds; round++) {
      let start = now();
      await seed.ask('S\n["bench.diff",4,{}]', cells * 20);
      answers.push(now() - start);
      start = now();
      const {store, synchronizer} = await joined('large');
      if (store.getRowCount('t') !== cells / 10) fail(`${store.getRowCount('t')} rows`);
      times.push(now() - start);
      await synchronizer.destroy();
    }
    return {ms: Math.min(...times), answer: Math.min(...answers), memory};
  },

  /** From one client's setCell until the other's listener, one after the other. */
  async hop({hops}) {
    const [one, other] = [await joined('hop'), await joined('hop')];
    const times = [];
    for (let hop = 0; hop < hops * 1.1; hop++) {
      const arrived = new Promise((resolve) => {
        const id = other.store.addCellListener('t', 'r', 'c', () => resolve(other.store.delListener(id)));
      });
      const start = now();
      one.store.setCell('t', 'r', 'c', hop);
      await arrived;
      if (hop >= hops * 0.1) times.push(now() - start);
    }
    return percentiles(times);
  },

  async fanout({clients: count, writers, rate, seconds, warm, drain}) {
    const clients = Array.from({length: count}, () => new Client());
    for (const client of clients) await client.open('fan');
    const all = Math.round(rate * (seconds + warm));
    const first = Math.round(rate * warm); // what is written before it does not count
    const frames = Array.from({length: writers}, (_, writer) =>
      Array.from({length: all}, (_, clock) =>
        frame(changes(`{"t":[{"r":[{"w${writer}":[${clock + 1},"${hlc(writer, clock)}"]}]}]}`)),
      ),
    );
    const sent = Array.from({length: writers}, () => new Float64Array(all));
    const times = [];
    let inWindow = 0;
    let measuring = false;
    for (const [number, client] of clients.entries()) {
      client.seen = new Int32Array(writers);
      client.onText = (buffer, start, end) => {
        const time = now();
        for (const [, w, to] of buffer.toString('latin1', start, end).matchAll(/"w(\d+)":\[(\d+),/g)) {
          const writer = Number(w);
          if (writer === number) continue;
          for (let clock = client.seen[writer]; clock < to; clock++) {
            if (measuring) inWindow++;
            if (clock >= first) times.push(time - sent[writer][clock]);
          }
          client.seen[writer] = Math.max(client.seen[writer], to);
        }
      };
    }
    const next = new Int32Array(writers);
    const start = now() + 20;
    const end = start + (warm + seconds) * 1000;
    let before = null;
    let figures = null;
    while (figures === null) {
      await until(now() + 1);
      const time = now();
      if (before === null && time >= start + warm * 1000) {
        measuring = true;
        before = {time, cpu: cpuMs(pids), own: process.cpuUsage()};
      }
      for (let writer = 0; writer < writers; writer++) {
        while (next[writer] < all && start + ((next[writer] + writer / writers) * 1000) / rate <= time) {
          sent[writer][next[writer]] = now();
          clients[writer].socket.write(frames[writer][next[writer]++]);
        }
      }
      if (time >= end && before !== null) {
        measuring = false;
        const own = process.cpuUsage(before.own);
        const ms = time - before.time;
        figures = {
          delivered: (inWindow * 1000) / ms,
          cpu: ((cpuMs(pids) - before.cpu) / ms) * 100,
          generator: (own.user + own.system) / 1000 / ms,
        };
      }
    }
    const expected = writers * (all - first) * (count - 1);
    const patience = now() + drain * 1000;
    while (times.length < expected && now() < patience) await until(now() + 5);
    const missing = expected - times.length;
    // What has not come has at least taken until now.
    for (let writer = 0; writer < writers; writer++) {
      for (const [number, client] of clients.entries()) {
        if (writer === number) continue;
        for (let clock = Math.max(first, client.seen[writer]); clock < all; clock++) times.push(now() - sent[writer][clock]);
      }
    }
    return {...figures, ...percentiles(times), missing};
  },
};

const found = await cases[name](sizes);
process.stdout.write(`${JSON.stringify(found)}\n`, () => process.exit(0));
