// The load generator of `python -m benchmarks server`: one case against one server, the same for all of them.
// Argument: JSON {case, urls, pids, dialect, folder, ...sizes}. Clients are spread over the urls in turn. Prints one JSON object
// with the figures and with what the generator itself cost: a run in which it was at its limit says nothing.
import {LoadSocket} from './lib/load_socket.mjs';
import {cpuMs, folderBytes, loopUs, peakKb, residentKb} from './lib/load_process.mjs';
import * as wire from './lib/load_wire.mjs';

const options = JSON.parse(process.argv[2]);
const {urls, pids, dialect, folder} = options;
const hocuspocus = dialect === 'hocuspocus';
const now = () => performance.now();
const until = (moment) => new Promise((resolve) => setTimeout(resolve, Math.max(0, moment - now())));

class Client {
  onUpdate = null; // called with the reader at the update's first byte
  #acknowledged = () => {}; // SyncStatus of Hocuspocus, which the answer to its step 1 brings too; step 2 of others

  constructor(number, room) {
    this.number = number;
    this.room = room;
  }

  /** Connect and synchronise; `greet` are frames to send with the first. */
  open(...greet) {
    return new Promise((resolve, reject) => {
      this.#acknowledged = resolve;
      this.socket = new LoadSocket(urls[this.number % urls.length], hocuspocus ? '/' : `/${this.room}`, {
        onOpen: () => {
          if (hocuspocus) this.socket.write(wire.auth(this.room));
          this.socket.write(Buffer.concat([wire.step1(dialect, this.room), ...greet]));
        },
        onMessage: (buffer, start) => this.#message(buffer, start),
        onFault: (reason) => {
          reject(new Error(reason));
          fail(`client ${this.number}: ${reason}`);
        },
      });
    });
  }

  #message(buffer, start) {
    wire.open(buffer, start);
    if (hocuspocus) wire.passBytes();
    const type = wire.uint();
    if (type === 8) this.#acknowledged();
    if (type !== 0) return;
    const kind = wire.uint();
    wire.uint(); // the size of what follows
    if (kind === 0) return this.socket.write(wire.emptyStep2(dialect, this.room));
    this.onUpdate?.();
    if (kind === 1 && !hocuspocus) this.#acknowledged();
  }

  /** Send updates, and wait until the server says that it has them: by SyncStatus, or by its answer to a step 1. */
  acknowledge(frames, clock) {
    return new Promise((resolve) => {
      if (hocuspocus) {
        let left = frames.length;
        this.#acknowledged = () => --left || resolve();
        this.socket.write(frames.length === 1 ? frames[0] : Buffer.concat(frames));
      } else {
        this.#acknowledged = resolve;
        this.socket.write(Buffer.concat([...frames, wire.step1(dialect, this.room, wire.stateVector(0, clock))]));
      }
    });
  }
}

const fail = (reason) => {
  process.stderr.write(`${reason}\n`);
  process.exit(1);
};

/** Connect clients, at most 40 at a time: a listen queue is not what is measured. */
const openAll = async (clients, ...greet) => {
  const left = [...clients].reverse();
  const connect = async () => {
    for (let client = left.pop(); client !== undefined; client = left.pop()) {
      await client.open(...(greet.length ? greet[0](client) : []));
    }
  };
  await Promise.all(Array.from({length: 40}, connect));
};

const clientsOf = (count, room) => Array.from({length: count}, (_, number) => new Client(number, room));

const cases = {
  /** Writers write at a rate, everybody else receives. Counted by clocks: a server may merge updates as it likes. */
  async fanout({clients: count, writers, rate, seconds, warm}) {
    const clients = clientsOf(count, 'fan');
    await clients[0].open(); // pycrdt-websocket never answers those who come while it opens a room
    await openAll(clients.slice(1));
    const all = Math.round(rate * (seconds + warm));
    const first = Math.round(rate * warm); // what is written before it does not count
    const frames = Array.from({length: writers}, (_, writer) =>
      Array.from({length: all}, (_, clock) => wire.updateFrame(dialect, 'fan', wire.cellUpdate(writer, clock))),
    );
    const sent = Array.from({length: writers}, () => new Float64Array(all));
    const buckets = new Uint32Array(200_000); // of 0.05 ms
    const record = (ms, times = 1) => (buckets[Math.min(buckets.length - 1, Math.floor(ms * 20))] += times);
    let delivered = 0;
    let inWindow = 0;
    let measuring = false;
    for (const client of clients) {
      const seen = new Int32Array(writers);
      client.seen = seen;
      const section = (writer, from, to) => {
        if (writer === client.number || to <= seen[writer]) return; // its own comes back from some servers
        const time = now();
        for (let clock = Math.max(from, seen[writer]); clock < to; clock++) {
          if (measuring) inWindow++;
          if (clock >= first) {
            delivered++;
            record(time - sent[writer][clock]);
          }
        }
        seen[writer] = to;
      };
      client.onUpdate = () => wire.readClocks(section);
    }
    const period = 1000 / rate;
    const next = new Int32Array(writers);
    const start = now() + 20;
    const begin = start + warm * 1000;
    const end = begin + seconds * 1000;
    let late = 0;
    let before = null;
    let figures = null;
    await new Promise((resolve) => {
      const tick = () => {
        const time = now();
        if (before === null && time >= begin) {
          measuring = true;
          before = {time, cpu: cpuMs(pids), loop: loopUs(pids), own: process.cpuUsage()};
        }
        for (let writer = 0; writer < writers; writer++) {
          for (;;) {
            const due = start + (next[writer] + writer / writers) * period;
            if (next[writer] === all || due > time) break;
            if (before !== null) late = Math.max(late, time - due);
            sent[writer][next[writer]] = now();
            clients[writer].socket.write(frames[writer][next[writer]++]);
          }
        }
        if (time < end) return setTimeout(tick, 1);
        measuring = false;
        const own = process.cpuUsage(before.own);
        const ms = time - before.time;
        figures = {
          delivered: (inWindow * 1000) / ms,
          loop: ((loopUs(pids) - before.loop) * 1000) / ms / (writers * rate),
          cpu: ((cpuMs(pids) - before.cpu) / ms) * 100,
          generator: (own.user + own.system) / 1000 / ms,
        };
        resolve();
      };
      setTimeout(tick, 1);
    });
    const expected = writers * (all - first) * (count - 1);
    const patience = now() + options.drain * 1000;
    while (delivered < expected && now() < patience) await until(now() + 5);
    const over = now();
    for (const client of clients) {
      for (let writer = 0; writer < writers; writer++) {
        if (writer === client.number) continue;
        for (let clock = Math.max(first, client.seen[writer]); clock < all; clock++) record(over - sent[writer][clock]);
      }
    }
    const percentile = (share) => {
      let left = expected * share;
      return (buckets.findIndex((times) => (left -= times) <= 0) + 1) / 20;
    };
    const latency = {p50: percentile(0.5), p99: percentile(0.99), late};
    return {...figures, ...latency, missing: expected - delivered, peak: peakKb(pids) / 1024};
  },

  /** A room with many cells; then everybody comes at once. */
  async join({cells, clients: count}) {
    const [seed, ...clients] = clientsOf(count + 1, 'join');
    await seed.open();
    for (let clock = 0; clock < cells; clock += 1000) {
      await seed.acknowledge([wire.updateFrame(dialect, 'join', wire.cellsUpdate(0, clock, 1000))], clock + 1000);
    }
    const own = process.cpuUsage();
    const start = now();
    let last = 0;
    const complete = clients.map((client) => {
      let structs = 0;
      return new Promise((resolve) => {
        client.onUpdate = () => {
          structs += wire.structsOfFirst();
          if (structs >= cells) resolve((last = now()));
        };
        client.open();
      });
    });
    await Promise.all(complete);
    const used = process.cpuUsage(own);
    const ms = last - start;
    await until(now() + 300);
    const memory = {resident: residentKb(pids) / 1024, peak: peakKb(pids) / 1024};
    return {ms, ...memory, generator: (used.user + used.system) / 1000 / ms};
  },

  /** Clients that are there and do nothing: one in each room first, then the others, so that both can be told apart. */
  async idle({rooms, each}) {
    const greet = (client) => [wire.awareness(dialect, client.room, client.number)];
    for (const client of clientsOf(3, 'warm')) await openAll([client], greet);
    await until(now() + 300);
    const none = residentKb(pids);
    const firsts = Array.from({length: rooms}, (_, room) => new Client(room, `idle-${room}`));
    await openAll(firsts, greet);
    await until(now() + 500);
    const one = residentKb(pids);
    const rest = Array.from({length: rooms * (each - 1)}, (_, n) => new Client(rooms + n, `idle-${n % rooms}`));
    await openAll(rest, greet);
    await until(now() + 500);
    const all = residentKb(pids);
    const before = cpuMs(pids);
    const start = now();
    await until(start + options.seconds * 1000);
    const cpu = ((cpuMs(pids) - before) / (now() - start)) * 100;
    const client = (all - one) / rest.length;
    return {client, room: (one - none) / rooms - client, cpu, generator: 0};
  },

  /** One update after the other, each until the server has said that it has it. */
  async ack({count}) {
    const client = new Client(0, 'ack');
    await client.open();
    const times = [];
    for (let clock = 0; clock < count; clock++) {
      const frame = wire.updateFrame(dialect, 'ack', wire.cellUpdate(0, clock));
      const start = now();
      await client.acknowledge([frame], clock + 1);
      if (clock >= count / 10) times.push(now() - start);
    }
    times.sort((a, b) => a - b);
    return {p50: times[times.length >> 1], p99: times[Math.floor(times.length * 0.99)], generator: 0};
  },

  /** Many small updates, a hundred under way at a time; then what the folder holds. */
  async growth({writes}) {
    const client = new Client(0, 'growth');
    await client.open();
    const batches = [];
    for (let clock = 0; clock < writes; clock += 100) {
      batches.push(
        Array.from({length: 100}, (_, n) => wire.updateFrame(dialect, 'growth', wire.cellUpdate(0, clock + n))),
      );
    }
    const own = process.cpuUsage();
    const start = now();
    for (const [number, frames] of batches.entries()) await client.acknowledge(frames, (number + 1) * 100);
    const ms = now() - start;
    const used = process.cpuUsage(own);
    const size = () => (folder ? folderBytes(folder) : 0); // some store after they have answered
    for (let last = -1, looks = 0; size() !== last && looks < 5; looks++) {
      last = size();
      await until(now() + 1000);
    }
    return {
      perSecond: (writes * 1000) / ms,
      disk: folder ? size() / 1024 : null,
      generator: (used.user + used.system) / 1000 / ms,
    };
  },
};

const found = await cases[options.case](options);
process.stdout.write(`${JSON.stringify(found)}\n`, () => process.exit(0));
