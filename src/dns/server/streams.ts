import net from 'node:net';
import { type Query, answersQuestion } from '../wire/index.js';
import type { OnReply } from './forwarder.js';
import { Frames, framed } from './frames.js';

/** Of one container. Resolvers open one connection for one question, mostly. */
const MAX_CONNECTIONS = 64;
/** Without a question, or without the asker taking the answers, for so long a connection is closed. */
const IDLE_MS = 10_000;
/** Questions of one connection that are being answered; beyond it waits unread. */
const MAX_AT_ONCE = 16;

/** Answers now, later, or never (undefined). */
export type Answer = (message: Uint8Array, reply: OnReply) => void;

/** A server for DNS by TCP; it listens on nothing yet. Closing it does not close connections: see `closeAll`. */
export class StreamServer {
  readonly server: net.Server;
  readonly #connections = new Set<net.Socket>();

  constructor(answer: Answer) {
    this.server = net.createServer({ noDelay: true }, (socket) => {
      this.#connections.add(socket);
      socket.on('close', () => this.#connections.delete(socket));
      serve(socket, answer);
    });
    this.server.maxConnections = MAX_CONNECTIONS;
  }

  closeAll(): void {
    this.server.close();
    for (const socket of this.#connections) socket.destroy();
  }
}

function serve(socket: net.Socket, answer: Answer): void {
  const frames = new Frames();
  let open = 0;
  socket.setTimeout(IDLE_MS, () => socket.destroy());
  socket.on('error', () => socket.destroy());
  socket.on('data', (piece) => {
    for (const message of frames.push(piece)) {
      open += 1;
      if (open >= MAX_AT_ONCE) socket.pause();
      answer(message, (reply) => {
        open -= 1;
        if (socket.destroyed) return;
        if (reply) socket.write(framed(reply));
        else socket.destroy();
        if (open < MAX_AT_ONCE && socket.writableLength === 0) socket.resume();
      });
    }
  });
  socket.on('drain', () => socket.resume());
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
