import net from 'node:net';
import { type Query, answersQuestion } from '../wire/index.js';
import type { OnReply } from './forwarder.js';
import { Frames, framed } from './frames.js';

/** Of one container. Resolvers open one connection for one question, mostly. */
const MAX_CONNECTIONS = 64;
/** Without a question, or without the asker taking the answers, for so long a connection is closed. */
const IDLE_MS = 10_000;
/** Questions of one connection that are being answered; others wait, and nothing is read meanwhile. */
const MAX_AT_ONCE = 16;
/** Octets that an asker has not taken: beyond it nothing of his is answered or read. */
const MAX_UNSENT = 64 * 1024;
/** Questions of all connections in one turn of the event loop: a name of many containers takes half a millisecond. */
const ANSWERS_PER_TURN = 16;

/** Answers now, later, or never (undefined). */
export type Answer = (message: Uint8Array, reply: OnReply) => void;

/**
 * A server for DNS by TCP; it listens on nothing yet. Closing it does not close connections: see `closeAll`.
 *
 * Connections take turns, question by question, however many one of them has sent.
 */
export class StreamServer {
  readonly server: net.Server;
  readonly #conversations = new Set<Conversation>();
  /** Those with a question that may be answered, in the order of their turns. */
  readonly #ready = new Set<Conversation>();
  #turn: NodeJS.Immediate | undefined;

  constructor(answer: Answer, { idleMs = IDLE_MS }: { readonly idleMs?: number } = {}) {
    this.server = net.createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
      const conversation = new Conversation(socket, answer, () => this.#later(conversation));
      this.#conversations.add(conversation);
      socket.setTimeout(idleMs, () => socket.destroy());
      socket.on('close', () => {
        this.#conversations.delete(conversation);
        this.#ready.delete(conversation);
      });
    });
    this.server.maxConnections = MAX_CONNECTIONS;
  }

  closeAll(): void {
    this.server.close();
    clearImmediate(this.#turn);
    for (const { socket } of this.#conversations) socket.destroy();
  }

  #later(conversation: Conversation): void {
    this.#ready.add(conversation);
    this.#turn ??= setImmediate(() => this.#takeTurn());
  }

  #takeTurn(): void {
    this.#turn = undefined;
    for (let n = 0; n < ANSWERS_PER_TURN; n += 1) {
      const [next] = this.#ready;
      if (next === undefined) return;
      this.#ready.delete(next);
      next.answerOne();
    }
    if (this.#ready.size > 0) this.#turn ??= setImmediate(() => this.#takeTurn());
  }
}

/** One connection: what it asked and was not answered yet. Reads no more than it answers. */
class Conversation {
  readonly socket: net.Socket;
  readonly #answer: Answer;
  /** Called whenever a question may be answered. */
  readonly #onReady: () => void;
  readonly #frames = new Frames();
  #waiting: Uint8Array[] = [];
  #open = 0;
  #hasEnded = false;

  constructor(socket: net.Socket, answer: Answer, onReady: () => void) {
    this.socket = socket;
    this.#answer = answer;
    this.#onReady = onReady;
    socket.on('error', () => socket.destroy());
    socket.on('data', (piece) => {
      this.#waiting = this.#waiting.concat(this.#frames.push(piece));
      this.#goOn();
    });
    socket.on('drain', () => this.#goOn());
    socket.on('end', () => {
      this.#hasEnded = true;
      this.#goOn();
    });
  }

  answerOne(): void {
    const message = this.#waiting.shift();
    if (message === undefined || this.socket.destroyed) return;
    this.#open += 1;
    this.#answer(message, (reply) => {
      this.#open -= 1;
      if (this.socket.destroyed) return;
      if (reply) this.socket.write(framed(reply));
      else this.socket.destroy();
      this.#goOn();
    });
    this.#goOn();
  }

  #goOn(): void {
    const { socket } = this;
    if (socket.destroyed) return;
    const mayAnswer = this.#open < MAX_AT_ONCE && socket.writableLength < MAX_UNSENT;
    const isIdle = this.#waiting.length === 0;
    if (!isIdle && mayAnswer) this.#onReady();
    if (isIdle && mayAnswer) socket.resume();
    else socket.pause();
    if (this.#hasEnded && isIdle && this.#open === 0) socket.end();
  }
}

/** Asks Docker's resolver by TCP, on the connection that it is given and closes. */
export function askByStream(socket: net.Socket, query: Query, onReply: OnReply): void {
  let reply: Uint8Array | undefined;
  const frames = new Frames();
  socket.setTimeout(IDLE_MS, () => socket.destroy());
  socket.on('error', () => socket.destroy());
  socket.on('close', () => onReply(reply));
  socket.on('end', () => socket.destroy());
  socket.on('data', (piece) => {
    const [first] = frames.push(piece);
    if (!first) return;
    const isOurs = first[0] === query.id >> 8 && first[1] === (query.id & 255);
    if (isOurs && answersQuestion(first, query)) reply = Uint8Array.from(first);
    socket.destroy();
  });
  socket.write(framed(query.message));
}
