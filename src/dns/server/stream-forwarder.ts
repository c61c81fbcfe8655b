import type net from 'node:net';
import type { Query } from '../wire/index.js';
import { type OnReply, isRefusal, replyTo } from './forwarder.js';
import { Frames, framed } from './frames.js';

/** Each question takes a connection; others wait for one of these to be done. */
const MAX_STREAMS = 64;
/** Of questions that wait. Our own askers have less: they are not read meanwhile. */
const MAX_WAITING = 1024;
/** From the question to an answer, waiting and all. */
const ANSWER_MS = 10_000;
/** One of several servers has so long before the next one is asked. */
const TURN_MS = 2000;

/** Makes a socket that connects to a server. */
export type OpenStream = () => net.Socket;

interface Asked {
  readonly query: Query;
  readonly onReply: OnReply;
  readonly until: number;
}

/** Asks one of several servers by TCP, for one container: each once, until one answers. */
export class StreamForwarder {
  servers: readonly OpenStream[];
  readonly #first: () => number;
  readonly #sockets = new Set<net.Socket>();
  #waiting: Asked[] = [];
  #under = 0;
  #isClosed = false;

  /** `first`: which of the servers to begin with. */
  constructor(servers: readonly OpenStream[], first: () => number) {
    this.servers = servers;
    this.#first = first;
  }

  /** `query.message` stays as it is until the answer. */
  ask(query: Query, onReply: OnReply): void {
    if (this.#isClosed || this.#waiting.length >= MAX_WAITING) return onReply(undefined);
    this.#waiting.push({ query, onReply, until: performance.now() + ANSWER_MS });
    return this.#next();
  }

  #next(): void {
    while (this.#under < MAX_STREAMS) {
      const asked = this.#waiting.shift();
      if (asked === undefined) return;
      this.#under += 1;
      void this.#carry(asked);
    }
  }

  async #carry(asked: Asked): Promise<void> {
    const reply = await this.#answer(asked);
    this.#under -= 1;
    asked.onReply(reply);
    this.#next();
  }

  /** Of the servers, the first that says something; if all refuse, what the last one said. */
  async #answer({ query, until }: Asked): Promise<Uint8Array | undefined> {
    const { servers } = this;
    const first = this.#first();
    let refusal: Uint8Array | undefined;
    for (let i = 0; i < servers.length; i += 1) {
      const left = until - performance.now();
      if (left <= 0 || this.#isClosed) break;
      const isLast = i === servers.length - 1;
      const waitMs = isLast ? left : Math.min(left, TURN_MS);
      const reply = await this.#askOne(servers[(first + i) % servers.length]!, query, waitMs);
      if (reply && !isRefusal(reply)) return reply;
      refusal = reply ?? refusal;
    }
    return refusal;
  }

  async #askOne(server: OpenStream, query: Query, waitMs: number): Promise<Uint8Array | undefined> {
    let socket: net.Socket;
    try {
      socket = server();
    } catch {
      return undefined; // no descriptors are left, or nothing leads there
    }
    this.#sockets.add(socket);
    try {
      return await askByStream(socket, query, waitMs);
    } finally {
      this.#sockets.delete(socket);
    }
  }

  close(): void {
    this.#isClosed = true;
    for (const socket of this.#sockets) socket.destroy();
    for (const { onReply } of this.#waiting.splice(0)) onReply(undefined);
  }
}

/** Closes the connection in any case. */
async function askByStream(
  socket: net.Socket,
  query: Query,
  waitMs: number,
): Promise<Uint8Array | undefined> {
  return new Promise((resolve) => {
    let reply: Uint8Array | undefined;
    const frames = new Frames();
    const timer = setTimeout(() => socket.destroy(), waitMs);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      clearTimeout(timer);
      resolve(reply);
    });
    socket.on('end', () => socket.destroy());
    socket.on('data', (piece) => {
      frames.push(piece);
      const first = frames.next();
      if (!first) return;
      const isOurs = first[0] === query.id >> 8 && first[1] === (query.id & 255);
      if (isOurs) reply = replyTo(query, Uint8Array.from(first));
      socket.destroy();
    });
    socket.write(framed(query.message));
  });
}
