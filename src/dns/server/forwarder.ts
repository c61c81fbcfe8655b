import type dgram from 'node:dgram';
import { type Query, answersQuestion } from '../wire/index.js';
import { randomId } from './random-ids.js';

/** Docker asks up to three servers for four seconds each: whoever still waits then has asked again long before. */
const ANSWER_MS = 15_000;
/** In flight for one container; Docker's resolver takes about as many from it. */
const MAX_PENDING = 512;
/** A socket's port is used for so long, so that to guess it takes starting anew (RFC 5452), and Docker's new port is found. */
const PORT_MS = 2000;
const PORT_QUERIES = 256;

/** Called once: the reply with the asker's id, or undefined when there is none. */
export type OnReply = (reply: Uint8Array | undefined) => void;

interface Pending {
  readonly query: Query;
  readonly onReply: OnReply;
  readonly since: number;
  readonly isRetry: boolean;
}

interface Channel {
  readonly socket: dgram.Socket;
  readonly pending: Map<number, Pending>;
  readonly openedAt: number;
  sent: number;
}

/** Asks Docker's resolver what is none of ours, by UDP, in one container's namespace. */
export class Forwarder {
  readonly #open: () => dgram.Socket;
  readonly #channels = new Set<Channel>();
  #current: Channel | undefined;
  #pending = 0;

  /** `open` makes a socket that is connected to Docker's resolver. */
  constructor(open: () => dgram.Socket) {
    this.#open = open;
  }

  ask(query: Query, onReply: OnReply, now: number, isRetry = false): void {
    if (this.#pending >= MAX_PENDING) {
      onReply(undefined);
      return;
    }
    let channel: Channel;
    try {
      channel = this.#channel(now);
    } catch {
      // No descriptors left, or the namespace is being taken down.
      onReply(undefined);
      return;
    }
    let id = randomId();
    while (channel.pending.has(id)) id = randomId();
    channel.pending.set(id, { query, onReply, since: now, isRetry });
    channel.sent += 1;
    this.#pending += 1;
    const message = Uint8Array.from(query.message);
    setId(message, id);
    channel.socket.send(message, (error) => {
      if (error) this.#fail(channel);
    });
  }

  /** Gives up what waited too long, and closes sockets that nobody needs. Call it about once a second. */
  sweep(now: number): void {
    for (const channel of this.#channels) {
      for (const [id, { since, onReply }] of channel.pending) {
        if (now - since < ANSWER_MS) break; // in the order in which they were asked
        channel.pending.delete(id);
        this.#pending -= 1;
        onReply(undefined);
      }
      if (channel === this.#current && now - channel.openedAt > PORT_MS) this.#current = undefined;
      this.#closeUnused(channel);
    }
  }

  close(): void {
    for (const channel of this.#channels) this.#close(channel);
  }

  #channel(now: number): Channel {
    const current = this.#current;
    if (current && current.sent < PORT_QUERIES && now - current.openedAt <= PORT_MS) return current;
    const channel: Channel = { socket: this.#open(), pending: new Map(), openedAt: now, sent: 0 };
    channel.socket.on('message', (reply) => this.#onMessage(channel, reply));
    // Docker's resolver is gone, or has moved to other ports.
    channel.socket.on('error', () => this.#fail(channel));
    this.#current = channel;
    this.#channels.add(channel);
    if (current) this.#closeUnused(current);
    return channel;
  }

  #onMessage(channel: Channel, reply: Uint8Array): void {
    if (reply.length < 12) return;
    const id = (reply[0]! << 8) | reply[1]!;
    const pending = channel.pending.get(id);
    if (!pending || !answersQuestion(reply, pending.query)) return;
    channel.pending.delete(id);
    this.#pending -= 1;
    setId(reply, pending.query.id);
    pending.onReply(reply);
    this.#closeUnused(channel);
  }

  /** Asks once more from another port; what fails again is not answered. */
  #fail(channel: Channel): void {
    if (!this.#channels.has(channel)) return;
    const left = [...channel.pending.values()];
    this.#close(channel);
    for (const { query, onReply, since, isRetry } of left) {
      if (isRetry) onReply(undefined);
      else this.ask(query, onReply, since, true);
    }
  }

  #closeUnused(channel: Channel): void {
    if (channel !== this.#current && channel.pending.size === 0) this.#close(channel);
  }

  #close(channel: Channel): void {
    if (!this.#channels.delete(channel)) return;
    if (this.#current === channel) this.#current = undefined;
    this.#pending -= channel.pending.size;
    channel.pending.clear();
    channel.socket.close();
  }
}

function setId(message: Uint8Array, id: number): void {
  message[0] = id >> 8;
  message[1] = id & 255;
}
