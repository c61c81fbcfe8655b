import net from 'node:net';
import type { OnReply } from './forwarder.js';
import { Frames, framed } from './frames.js';

/** Of one container. Resolvers open one connection for one question, mostly. */
const MAX_CONNECTIONS = 64;
/** Without a question, or without the asker taking the answers, for so long a connection is closed. */
const IDLE_MS = 10_000;
/** Questions of one connection that are being answered; beyond it waits unread. */
const MAX_AT_ONCE = 16;
/** Of one connection, before all others have their turn. */
const MAX_PER_TURN = 8;
/** Octets of answers that the asker has not taken; with more it is not read. One answer has 64 KiB at most. */
const MAX_UNTAKEN = 64 * 1024;

/** Answers now, later, or never (undefined). */
export type Answer = (message: Uint8Array, reply: OnReply) => void;

/** A server for DNS by TCP; it listens on nothing yet. Closing it does not close connections: see `closeAll`. */
export class StreamServer {
  readonly server: net.Server;
  readonly #connections = new Set<net.Socket>();

  /** `idleMs`: default ten seconds. */
  constructor(answer: Answer, idleMs = IDLE_MS) {
    // Who says that it asks no more may still wait for an answer.
    this.server = net.createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
      this.#connections.add(socket);
      socket.on('close', () => this.#connections.delete(socket));
      new Stream(socket, answer, idleMs).start();
    });
    this.server.maxConnections = MAX_CONNECTIONS;
  }

  closeAll(): void {
    this.server.close();
    for (const socket of this.#connections) socket.destroy();
  }
}

/** One asker. It is read no faster than it is answered and takes the answers, and no faster than others. */
class Stream {
  readonly #socket: net.Socket;
  readonly #answer: Answer;
  readonly #frames = new Frames();
  readonly #idle: NodeJS.Timeout;
  #open = 0;
  #isQueued = false;
  /** Of what came, no whole question is left. */
  #isDrained = true;
  #hasEnded = false;

  constructor(socket: net.Socket, answer: Answer, idleMs: number) {
    this.#socket = socket;
    this.#answer = answer;
    this.#idle = setTimeout(() => this.#onIdle(), idleMs);
  }

  start(): void {
    const socket = this.#socket;
    socket.on('error', () => socket.destroy());
    socket.on('close', () => clearTimeout(this.#idle));
    socket.on('end', () => {
      this.#hasEnded = true;
      this.#endWhenDone();
    });
    socket.on('data', (piece) => {
      this.#frames.push(piece);
      this.#isDrained = false;
      this.#work();
    });
  }

  /** Some of the questions that are there; the rest in the next turn, or when there is room for answers. */
  #work(): void {
    const socket = this.#socket;
    for (let taken = 0; !this.#isFull(); taken += 1) {
      if (taken === MAX_PER_TURN) {
        this.#workLater();
        break;
      }
      const message = this.#frames.next();
      if (message === undefined) {
        this.#isDrained = true;
        this.#endWhenDone();
        if (socket.isPaused()) socket.resume();
        return;
      }
      if (socket.writableLength === 0) this.#idle.refresh();
      this.#ask(message);
      if (socket.destroyed) return;
    }
    socket.pause();
  }

  #workLater(): void {
    if (this.#isQueued) return;
    this.#isQueued = true;
    setImmediate(() => {
      this.#isQueued = false;
      if (!this.#socket.destroyed) this.#work();
    });
  }

  #isFull(): boolean {
    return this.#open >= MAX_AT_ONCE || this.#socket.writableLength > MAX_UNTAKEN;
  }

  #ask(message: Uint8Array): void {
    const socket = this.#socket;
    this.#open += 1;
    this.#answer(message, (reply) => {
      this.#open -= 1;
      if (socket.destroyed) return;
      if (reply === undefined) {
        socket.destroy();
        return;
      }
      socket.write(framed(reply), () => this.#onTaken());
      if (socket.isPaused()) this.#workLater();
      else this.#endWhenDone();
    });
  }

  #onTaken(): void {
    if (this.#socket.destroyed) return;
    this.#idle.refresh();
    if (this.#socket.isPaused()) this.#workLater();
  }

  #onIdle(): void {
    // It waits for us, which has an end of its own.
    if (this.#open > 0 && this.#socket.writableLength === 0) this.#idle.refresh();
    else this.#socket.destroy();
  }

  #endWhenDone(): void {
    if (this.#hasEnded && this.#isDrained && this.#open === 0) this.#socket.end();
  }
}
