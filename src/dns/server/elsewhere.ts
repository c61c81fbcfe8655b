import { type Query, readReply, replyFor, sameQuestion } from '../wire/index.js';
import type { Forwarder, OnReply } from './forwarder.js';
import { lifetimeSec, mayBeKept } from './lifetime.js';
import { ReplyCache } from './reply-cache.js';

/** Whoever asks again after so long wants another try, as what was sent may be lost. */
const SHARE_MS = 1000;
/** Askers of one container who wait for what another one has asked. */
const MAX_SHARING = 1024;

/** One question that was asked for all who wait. */
interface Shared {
  readonly since: number;
  readonly others: { readonly query: Query; readonly onReply: OnReply }[];
}

/** What weft has no answer to, for one container, by UDP: remembered, on its way already, or asked for. */
export class Elsewhere {
  readonly #forwarder: Pick<Forwarder, 'ask'>;
  readonly #clock: () => number;
  readonly #cache = new ReplyCache();
  readonly #shared = new Map<string, Shared>();
  #sharing = 0;

  /** `clock`: milliseconds, never going back. */
  constructor(forwarder: Pick<Forwarder, 'ask'>, clock = (): number => performance.now()) {
    this.#forwarder = forwarder;
    this.#clock = clock;
  }

  ask(query: Query, onReply: OnReply): void {
    const now = this.#clock();
    const key = sameQuestion(query);
    if (key === undefined) return this.#forwarder.ask(query, onReply);
    const kept = this.#cache.get(key, query, now);
    if (kept) return onReply(kept);
    const shared = this.#shared.get(key);
    if (shared && now - shared.since < SHARE_MS) {
      if (this.#sharing >= MAX_SHARING) return onReply(undefined);
      this.#sharing += 1;
      shared.others.push({ query, onReply });
      return undefined;
    }
    return this.#askFor(key, query, onReply, now);
  }

  #askFor(key: string, query: Query, onReply: OnReply, now: number): void {
    const shared: Shared = { since: now, others: [] };
    this.#shared.set(key, shared);
    this.#forwarder.ask(query, (reply) => {
      if (this.#shared.get(key) === shared) this.#shared.delete(key);
      if (reply) this.#keep(key, query, reply);
      onReply(reply);
      this.#sharing -= shared.others.length;
      for (const other of shared.others) other.onReply(reply && replyFor(other.query, reply));
    });
  }

  #keep(key: string, query: Query, reply: Uint8Array): void {
    if (!mayBeKept(query)) return;
    const read = readReply(reply, query);
    const sec = read ? lifetimeSec(query, read) : 0;
    if (read && sec > 0) this.#cache.set(key, reply, read.ttls, sec, this.#clock());
  }

  sweep(): void {
    this.#cache.sweep(this.#clock());
  }

  /** Forgets what was answered: it may be another now. */
  forget(): void {
    this.#cache.clear();
  }
}
