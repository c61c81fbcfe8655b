import type dgram from 'node:dgram';
import {
  type Query,
  RCODE,
  answersQuestion,
  bareReply,
  isBareError,
  replyLimit,
  writeReply,
} from '../wire/index.js';
import { randomId } from './random-ids.js';

/** Docker asks up to three servers for four seconds each: whoever still waits then has asked again long before. */
const ANSWER_MS = 15_000;
/** One of several servers has so long before the next one is asked. */
const TURN_MS = 2000;
/** Each server is asked so often for one question. */
const ROUNDS = 2;
/** In flight for one container; Docker's resolver takes about as many from it. */
const MAX_PENDING = 512;
/** A socket's port is used for so long, so that to guess it takes starting anew (RFC 5452), and Docker's new port is found. */
const PORT_MS = 2000;
const PORT_QUERIES = 256;

/** Called once: the reply with the asker's id, or undefined when there is none. */
export type OnReply = (reply: Uint8Array | undefined) => void;
/** Makes a socket that is connected to a server. */
export type OpenSocket = () => dgram.Socket;

interface Pending {
  readonly query: Query;
  readonly onReply: OnReply;
  /** When it was asked first. */
  readonly since: number;
  /** How many servers were asked before this one. */
  readonly tries: number;
  /** Then the server's turn is over. */
  readonly until: number;
}

interface Channel {
  readonly server: OpenSocket;
  readonly socket: dgram.Socket;
  readonly pending: Map<number, Pending>;
  readonly openedAt: number;
  sent: number;
}

/**
 * Asks one of several servers by UDP, for one container: the one that answered last, then the others. What none answers in time
 * is not answered.
 */
export class Forwarder {
  readonly #channels = new Set<Channel>();
  readonly #current = new Map<OpenSocket, Channel>();
  readonly #clock: () => number;
  #servers: readonly OpenSocket[];
  #preferred = 0;
  #pending = 0;

  /** `clock`: milliseconds, never going back. */
  constructor(servers: readonly OpenSocket[], clock = (): number => performance.now()) {
    this.#servers = servers;
    this.#clock = clock;
  }

  /** Which server is asked first. */
  get preferred(): number {
    return this.#preferred;
  }

  /** From now on; what the servers before were asked they may answer still. */
  set servers(servers: readonly OpenSocket[]) {
    this.#servers = servers;
    this.#preferred = 0;
    const before = [...this.#current.values()];
    this.#current.clear();
    for (const channel of before) this.#closeUnused(channel);
  }

  ask(query: Query, onReply: OnReply): void {
    if (this.#pending >= MAX_PENDING) onReply(undefined);
    else this.#send(query, onReply, this.#clock(), 0);
  }

  #send(query: Query, onReply: OnReply, since: number, tries: number): void {
    const now = this.#clock();
    const count = this.#servers.length;
    for (let next = tries; next < count * ROUNDS && now - since < ANSWER_MS; next += 1) {
      const channel = this.#channel(this.#servers[(this.#preferred + next) % count]!, now);
      if (channel === undefined) continue;
      const until = Math.min(since + ANSWER_MS, count > 1 ? now + TURN_MS : Infinity);
      this.#sendOn(channel, { query, onReply, since, tries: next, until });
      return;
    }
    onReply(undefined);
  }

  #sendOn(channel: Channel, pending: Pending): void {
    let id = randomId();
    while (channel.pending.has(id)) id = randomId();
    channel.pending.set(id, pending);
    channel.sent += 1;
    this.#pending += 1;
    const message = Uint8Array.from(pending.query.message);
    setId(message, id);
    channel.socket.send(message, (error) => {
      if (error) this.#fail(channel);
    });
  }

  /** Gives up what waited too long, and closes sockets that nobody needs. Call it about once a second. */
  sweep(): void {
    const now = this.#clock();
    for (const channel of this.#channels) {
      for (const [id, pending] of channel.pending) {
        if (now < pending.until) break; // about in the order of time
        this.#settle(channel, id);
        this.#again(pending);
      }
      const isOld = now - channel.openedAt > PORT_MS;
      if (isOld && this.#isCurrent(channel)) this.#current.delete(channel.server);
      this.#closeUnused(channel);
    }
  }

  close(): void {
    for (const channel of this.#channels) this.#close(channel);
  }

  /** Undefined when no descriptors are left, the namespace is being taken down, or nothing leads to the server. */
  #channel(server: OpenSocket, now: number): Channel | undefined {
    const current = this.#current.get(server);
    if (current && current.sent < PORT_QUERIES && now - current.openedAt <= PORT_MS) return current;
    let socket: dgram.Socket;
    try {
      socket = server();
    } catch {
      return undefined;
    }
    const channel: Channel = { server, socket, pending: new Map(), openedAt: now, sent: 0 };
    socket.on('message', (reply) => this.#onMessage(channel, reply));
    // Nobody listens there, or Docker's resolver has moved to other ports.
    socket.on('error', () => this.#fail(channel));
    this.#current.set(server, channel);
    this.#channels.add(channel);
    if (current) this.#closeUnused(current);
    return channel;
  }

  #onMessage(channel: Channel, message: Uint8Array): void {
    if (message.length < 12) return;
    const id = (message[0]! << 8) | message[1]!;
    const pending = channel.pending.get(id);
    const reply = pending && replyTo(pending.query, message);
    if (!pending || !reply) return;
    this.#settle(channel, id);
    this.#closeUnused(channel);
    const isLast = pending.tries + 1 >= this.#servers.length;
    if (isRefusal(reply) && !isLast) {
      this.#again(pending);
      return;
    }
    const place = this.#servers.indexOf(channel.server);
    if (place >= 0 && !isRefusal(reply)) this.#preferred = place;
    setId(reply, pending.query.id);
    pending.onReply(reply);
  }

  /** Asks what waited here once more, from another port or the next server. */
  #fail(channel: Channel): void {
    if (!this.#channels.has(channel)) return;
    const left = [...channel.pending.values()];
    this.#close(channel);
    for (const pending of left) this.#again(pending);
  }

  #again({ query, onReply, since, tries }: Pending): void {
    this.#send(query, onReply, since, tries + 1);
  }

  #settle(channel: Channel, id: number): void {
    if (channel.pending.delete(id)) this.#pending -= 1;
  }

  #isCurrent(channel: Channel): boolean {
    return this.#current.get(channel.server) === channel;
  }

  #closeUnused(channel: Channel): void {
    if (!this.#isCurrent(channel) && channel.pending.size === 0) this.#close(channel);
  }

  #close(channel: Channel): void {
    if (!this.#channels.delete(channel)) return;
    if (this.#isCurrent(channel)) this.#current.delete(channel.server);
    this.#pending -= channel.pending.size;
    channel.pending.clear();
    channel.socket.close();
  }
}

/** It could not or would not say: another server may. */
export function isRefusal(reply: Uint8Array): boolean {
  const rcode = reply[3]! & 15;
  return rcode === RCODE.SERVFAIL || rcode === RCODE.REFUSED || rcode === RCODE.NOTIMP;
}

/** The same message, or, where it repeats no question, one that does; undefined when it answers another. */
export function replyTo(query: Query, message: Uint8Array): Uint8Array | undefined {
  if (answersQuestion(message, query)) return message;
  if (!isBareError(message)) return undefined;
  return writeReply(query, bareReply(message[3]! & 15), replyLimit(query, 'udp'));
}

function setId(message: Uint8Array, id: number): void {
  message[0] = id >> 8;
  message[1] = id & 255;
}
