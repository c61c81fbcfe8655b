import { type Query, type ReadReply, replyFor } from '../wire/index.js';

/** Of one container. */
const MAX_ENTRIES = 256;
const MAX_OCTETS = 64 * 1024;
/** What an entry takes besides its reply, about. */
const ENTRY_OCTETS = 256;
/** Far above what UDP brings; one reply shall not take everybody's place. */
const MAX_REPLY_OCTETS = 4096;

interface Entry {
  readonly reply: Uint8Array;
  readonly ttls: ReadReply['ttls'];
  readonly since: number;
  readonly until: number;
}

/** Replies of one container's resolver, by what was asked (see `sameQuestion`). The oldest make room. Times are milliseconds. */
export class ReplyCache {
  readonly #entries = new Map<string, Entry>();
  #octets = 0;

  get octets(): number {
    return this.#octets;
  }

  /** With its TTLs counted down. */
  get(key: string, query: Query, now: number): Uint8Array | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    if (entry.until <= now) {
      this.#delete(key, entry);
      return undefined;
    }
    const reply = replyFor(query, entry.reply);
    // Not from who has the say about the name.
    reply[2]! &= ~0x04;
    const view = new DataView(reply.buffer);
    const ageSec = Math.floor((now - entry.since) / 1000);
    for (const { at, sec } of entry.ttls) view.setUint32(at, sec - ageSec);
    return reply;
  }

  /** `lifetimeSec` is no more than any TTL in it. */
  set(
    key: string,
    reply: Uint8Array,
    ttls: ReadReply['ttls'],
    lifetimeSec: number,
    now: number,
  ): void {
    const before = this.#entries.get(key);
    if (before) this.#delete(key, before);
    if (reply.length > MAX_REPLY_OCTETS) return;
    const entry: Entry = {
      reply: Uint8Array.from(reply),
      ttls,
      since: now,
      until: now + lifetimeSec * 1000,
    };
    this.#entries.set(key, entry);
    this.#octets += sizeOf(key, entry);
    for (const [oldest, old] of this.#entries) {
      if (this.#entries.size <= MAX_ENTRIES && this.#octets <= MAX_OCTETS) break;
      this.#delete(oldest, old);
    }
  }

  /** Lets go of what nobody may be told any more. */
  sweep(now: number): void {
    for (const [key, entry] of this.#entries) if (entry.until <= now) this.#delete(key, entry);
  }

  clear(): void {
    this.#entries.clear();
    this.#octets = 0;
  }

  #delete(key: string, entry: Entry): void {
    this.#entries.delete(key);
    this.#octets -= sizeOf(key, entry);
  }
}

function sizeOf(key: string, { reply, ttls }: Entry): number {
  return key.length + reply.length + 32 * ttls.length + ENTRY_OCTETS;
}
