import { setImmediate as turn } from 'node:timers/promises';
import { Backoff } from '../util/index.js';
import { NetlinkError } from './errors.js';
import {
  type EncodedBatch,
  type Message,
  type MessageType,
  NLMSG,
  NLM_F,
  type Received,
  encodeBatch,
  encodedSize,
  readAck,
  refusal,
  splitDatagram,
} from './message.js';
import {
  type NativeSocket,
  closeFd,
  closeSocket,
  execute,
  openNetns,
  openSocket,
} from './native.js';

/**
 * What a connection needs of a netlink socket.
 *
 * `execute` sends one datagram and answers every datagram that the kernel sent back. The kernel handles rtnetlink and
 * nfnetlink requests inside the send, so that nothing is left to come when it settles.
 */
export interface Socket {
  execute(request: Uint8Array): Promise<Uint8Array[]>;
  close(): void;
}

export interface ConnectionOptions {
  /** The network namespace to open the socket in, by file or by descriptor; default: this process's. Free to go once open. */
  readonly netns?: string | number | undefined;
  /** linux/netlink.h NETLINK_*; default: NETLINK_ROUTE. */
  readonly protocol?: number | undefined;
}

/** linux/netlink.h NETLINK_* */
export const NETLINK = { ROUTE: 0, NETFILTER: 12, GENERIC: 16 } as const;

/** Opens a native socket, see native.ts; the caller closes it with closeSocket. */
export async function openSocketIn(
  options: ConnectionOptions & { readonly groups?: readonly number[] },
): Promise<NativeSocket> {
  const { netns, protocol = NETLINK.ROUTE, groups = [] } = options;
  if (typeof netns !== 'string') {
    return openSocket(protocol, { groups, ...(netns !== undefined && { netnsFd: netns }) });
  }
  const netnsFd = openNetns(netns);
  try {
    return await openSocket(protocol, { groups, netnsFd });
  } finally {
    closeFd(netnsFd);
  }
}

/** What became of one message: undefined is the kernel's yes. */
export type Outcome = NetlinkError | undefined;

export interface RequestOptions {
  /** Send all messages in one datagram, however many: for families with transactions (nfnetlink). */
  readonly whole?: boolean;
}

/** Bounds of one datagram: a longer one is no faster, and holds a thread of the pool and the queue here for longer. */
const MAX_BATCH_MESSAGES = 64;
const MAX_BATCH_OCTETS = 32 * 1024;
/** Messages of a dump; to read them takes some milliseconds, in which nothing else runs. */
const READ_AT_ONCE = 2048;
/** Each attempt is a whole dump; on a host that changes all the time a dump of thousands may need several. */
const MAX_DUMP_ATTEMPTS = 10;

/**
 * One netlink socket and the order of what happens on it: calls queue up, and never see each other's replies.
 *
 * Owns the socket, and is opened by {@link Connection.open}, or in tests over a function.
 */
export class Connection implements AsyncDisposable {
  readonly #socket: Socket;
  readonly #closing = new AbortController();
  #tail: Promise<unknown> = Promise.resolve();
  #sequence = 1;
  #port: number | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** Opens a socket; ENOENT, EINVAL when `netns` is not a namespace, EPERM without CAP_NET_ADMIN. */
  static async open(options: ConnectionOptions = {}): Promise<Connection> {
    const socket = await openSocketIn(options);
    return new Connection({
      execute: async (request) => execute(socket, request),
      close: () => {
        closeSocket(socket);
      },
    });
  }

  /** What the kernel calls this socket in news of what it did; undefined before the first reply. */
  get port(): number | undefined {
    return this.#port;
  }

  /**
   * Sends messages, as many in one datagram as fit, and answers one outcome each, in order. The kernel carries them out one
   * by one: a refusal does not stop those behind it. NO_REPLY is an outcome, too: nobody knows what was done. Throws
   * UNENCODABLE before anything is sent, and the socket's own errors (ENOBUFS: acks were lost), with which nobody knows
   * what was done either.
   */
  async request(messages: readonly Message[], options: RequestOptions = {}): Promise<Outcome[]> {
    const batches = options.whole === true ? [messages] : inBatches(messages);
    return this.#alone(async () => {
      const encoded = batches.map((batch) => ({ batch, sent: this.#encode(batch) }));
      const outcomes: Outcome[] = [];
      for (const { batch, sent } of encoded) {
        outcomes.push(...outcomesOf(batch, sent, await this.#exchange(sent, batch)));
      }
      return outcomes;
    });
  }

  /** As {@link request}, and throws the first refusal; those behind it were sent all the same. */
  async apply(...messages: readonly Message[]): Promise<void> {
    const refused = (await this.request(messages)).find((outcome) => outcome !== undefined);
    if (refused !== undefined) throw refused;
  }

  /**
   * Sends messages and a question behind them in one datagram, and answers the one reply: what there is after them. Throws the
   * first refusal, of a message or the question (ENODEV, ESRCH), NO_REPLY for none; those behind it were sent all the same.
   */
  async get<T>(
    question: Message,
    reply: MessageType<T>,
    { after = [] }: { readonly after?: readonly Message[] } = {},
  ): Promise<T> {
    const messages = [...after, question];
    const sent = this.#encode(messages);
    const received = await this.#alone(async () => this.#exchange(sent, messages));
    const refused = outcomesOf(messages, sent, received).find((outcome) => outcome !== undefined);
    if (refused !== undefined) throw refused;
    const found = received.find((m) => m.type === reply.type);
    if (found === undefined) throw noReply(question);
    return reply.codec.read(found.from, found.at, found.length);
  }

  /**
   * Answers every reply to a dump. A dump that the kernel marks as interrupted by changes (NLM_F_DUMP_INTR), or that
   * overran the socket (ENOBUFS), is thrown away and asked for again, at most 10 times, then INTERRUPTED.
   *
   * What the kernel does not mark, this cannot know: see dumpFdb.
   */
  async dump<T>(question: Message, reply: MessageType<T>): Promise<T[]> {
    return this.#alone(async () => {
      const backoff = new Backoff({ minMs: 1, maxMs: 50 });
      for (let attempt = 1; attempt <= MAX_DUMP_ATTEMPTS; attempt += 1) {
        const values = await this.#dumpOnce(question, reply);
        if (values !== undefined) return values;
        await backoff.wait(this.#closing.signal).catch((cause: unknown) => {
          throw closed(cause);
        });
      }
      const op = question.kind.name;
      throw new NetlinkError(
        { code: 'INTERRUPTED', op, attempts: MAX_DUMP_ATTEMPTS },
        `dump by ${op} was interrupted by changes ${MAX_DUMP_ATTEMPTS} times`,
      );
    });
  }

  async #dumpOnce<T>(question: Message, reply: MessageType<T>): Promise<T[] | undefined> {
    const asDump = { ...question, flags: question.flags | NLM_F.DUMP, ack: false as const };
    const sent = this.#encode([asDump]);
    const received = await this.#exchange(sent, [asDump]).catch((error: unknown) => {
      if (error instanceof NetlinkError && error.code === 'ENOBUFS') return undefined;
      throw error;
    });
    if (received === undefined) return undefined;
    let isDone = false;
    for (const m of received) {
      if ((m.flags & NLM_F.DUMP_INTR) !== 0 || m.type === NLMSG.OVERRUN) return undefined;
      if (m.type !== NLMSG.ERROR && m.type !== NLMSG.DONE) continue;
      const ack = readAck(m);
      if (ack.errno !== 0) throw refusal(ack, question, sent, 0);
      isDone = true;
    }
    if (!isDone) throw noReply(question);
    const values: T[] = [];
    for (const [i, m] of received.entries()) {
      if (m.type === reply.type) values.push(reply.codec.read(m.from, m.at, m.length));
      if (i % READ_AT_ONCE === READ_AT_ONCE - 1) await turn();
    }
    return values;
  }

  #encode(messages: readonly Message[]): EncodedBatch {
    // Sequence numbers stay far from where u32 ends; nothing depends on their order.
    if (this.#sequence > 0x7fff_ffff) this.#sequence = 1;
    const sent = encodeBatch(messages, this.#sequence);
    this.#sequence += messages.length;
    return sent;
  }

  /** One datagram out, all messages back that answer it; what is left of older ones is dropped. */
  async #exchange(sent: EncodedBatch, messages: readonly Message[]): Promise<Received[]> {
    const datagrams = await this.#socket.execute(sent.octets).catch((error: unknown) => {
      throw socketError(error, messages);
    });
    const received: Received[] = [];
    for (const datagram of datagrams) {
      for (const m of splitDatagram(datagram)) {
        const index = m.sequence - sent.sequence;
        if (index < 0 || index >= messages.length) continue;
        this.#port = m.port;
        received.push(m);
      }
    }
    return received;
  }

  async #alone<T>(fn: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(async () => {
      if (this.#closing.signal.aborted) throw closed();
      return fn();
    });
    this.#tail = result.catch(() => undefined);
    return result;
  }

  /** Waits for the call that is under way, refuses those behind it with CLOSED, closes the socket. Twice is fine. */
  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    await this.#tail;
    this.#socket.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

function inBatches(messages: readonly Message[]): Message[][] {
  const batches: Message[][] = [];
  let octets = Infinity;
  for (const m of messages) {
    const size = encodedSize(m);
    let last = batches.at(-1);
    if (
      last === undefined ||
      last.length >= MAX_BATCH_MESSAGES ||
      octets + size > MAX_BATCH_OCTETS
    ) {
      batches.push((last = []));
      octets = 0;
    }
    last.push(m);
    octets += size;
  }
  return batches;
}

function outcomesOf(
  messages: readonly Message[],
  sent: EncodedBatch,
  received: readonly Received[],
): Outcome[] {
  const outcomes: (Outcome | 'none')[] = messages.map((m) =>
    m.ack === false ? undefined : 'none',
  );
  for (const m of received) {
    if (m.type !== NLMSG.ERROR) continue;
    const index = m.sequence - sent.sequence;
    const ack = readAck(m);
    outcomes[index] = ack.errno === 0 ? undefined : refusal(ack, messages[index]!, sent, index);
  }
  return outcomes.map((outcome, i) => (outcome === 'none' ? noReply(messages[i]!) : outcome));
}

function noReply(m: Message): NetlinkError {
  const op = m.kind.name;
  return new NetlinkError({ code: 'NO_REPLY', op }, `the kernel did not answer ${op}`);
}

function closed(cause?: unknown): NetlinkError {
  return new NetlinkError({ code: 'CLOSED' }, 'netlink connection is closed', { cause });
}

/** The socket's own failures (ENOBUFS, EPERM, EMSGSIZE) as NetlinkError; anything else passes. */
function socketError(error: unknown, messages: readonly Message[]): unknown {
  if (error instanceof NetlinkError || !(error instanceof Error)) return error;
  const { code, errno } = error as NodeJS.ErrnoException;
  if (code === undefined || errno === undefined || !code.startsWith('E')) return error;
  const op = messages[0]?.kind.name ?? 'nothing';
  return new NetlinkError(
    { code: code as `E${string}`, errno: Math.abs(errno), op },
    `sending ${op} failed with ${code}`,
    { cause: error },
  );
}
