// A websocket client that costs the load generator next to nothing: a TCP socket, one read buffer for all of them, the
// payload handed over where it lies. It understands what servers of this benchmark send: whole messages, no extension.
import {randomBytes} from 'node:crypto';
import net from 'node:net';
import {clientFrame} from './load_wire.mjs';

const BUFFER = Buffer.alloc(1 << 18);

export class LoadSocket {
  #kept = null; // the part of a frame that has arrived
  #have = 0;
  #total = 0; // bytes of that frame; 0 while its header is not there in full
  #open = false;
  #closing = false;

  /** `onMessage(buffer, start, end)` is called during the read: what it wants to keep it must copy. */
  constructor(url, path, {onOpen, onMessage, onFault}) {
    this.onMessage = onMessage;
    this.onOpen = onOpen;
    this.onFault = onFault;
    const {hostname, port} = new URL(url);
    this.socket = net.connect({
      host: hostname,
      port: Number(port),
      noDelay: true,
      onread: {buffer: BUFFER, callback: (size, buffer) => (this.#feed(buffer, size), true)},
    });
    this.socket.on('error', (error) => this.#fault(error.message));
    this.socket.on('close', () => this.#fault('the server closed the connection'));
    this.socket.write(
      `GET ${path} HTTP/1.1\r\nHost: ${hostname}:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
        `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\n` + // by which TinyBase's server knows a client
        'Sec-WebSocket-Version: 13\r\n\r\n',
    );
  }

  write(frame) {
    this.socket.write(frame);
  }

  close() {
    this.#closing = true;
    this.socket.destroy();
  }

  #fault(reason) {
    if (!this.#closing) {
      this.#closing = true;
      this.onFault(reason);
    }
  }

  #feed(buffer, size) {
    let at = 0;
    if (this.#kept !== null) {
      if (this.#total > 0) {
        const taken = Math.min(size, this.#total - this.#have);
        buffer.copy(this.#kept, this.#have, 0, taken);
        this.#have += taken;
        if (this.#have < this.#total) return;
        const whole = this.#kept;
        this.#kept = null;
        this.#frames(whole, 0, whole.length);
        at = taken;
      } else {
        buffer = Buffer.concat([this.#kept.subarray(0, this.#have), buffer.subarray(0, size)]);
        size = buffer.length;
        this.#kept = null;
      }
    }
    if (!this.#open) {
      const end = buffer.subarray(0, size).indexOf('\r\n\r\n');
      if (end < 0) return this.#keep(buffer, 0, size, 0);
      const status = buffer.toString('latin1', 0, 12);
      if (status !== 'HTTP/1.1 101') return this.#fault(`the server answers ${status}`);
      this.#open = true;
      at = end + 4;
      this.onOpen();
    }
    this.#frames(buffer, at, size);
  }

  #keep(buffer, at, end, total) {
    this.#have = end - at;
    this.#total = total;
    this.#kept = Buffer.allocUnsafe(Math.max(total, this.#have));
    buffer.copy(this.#kept, 0, at, end);
  }

  #frames(buffer, at, end) {
    while (at < end) {
      let head = 2;
      let size = end - at > 1 ? buffer[at + 1] : 0;
      if (size === 126) head = 4;
      else if (size === 127) head = 10;
      if (end - at < head) return this.#keep(buffer, at, end, 0);
      if (size === 126) size = buffer.readUInt16BE(at + 2);
      else if (size === 127) size = Number(buffer.readBigUInt64BE(at + 2));
      const next = at + head + size;
      if (next > end) return this.#keep(buffer, at, end, head + size);
      const first = buffer[at];
      if (first === 0x81 || first === 0x82) this.onMessage(buffer, at + head, next);
      else if (first === 0x89) this.write(clientFrame(buffer.subarray(at + head, next), 10));
      else if (first === 0x88) return this.#fault(`the server closes with ${size > 1 ? buffer.readUInt16BE(at + head) : 1005}`);
      else if (first !== 0x8a) return this.#fault(`a frame starts with ${first}: it is none that a server here sends`);
      at = next;
    }
  }
}
