import { Backoff, type Outage } from '../util/index.js';
import type { ListOptions } from './consul-client.js';
import { pause } from './consul-pause.js';
import { type Listing, nextIndex } from './consul-reply.js';
import { StoreError } from './errors.js';
import type { Entry, Snapshot, WatchOptions } from './store.js';

/** Consul's own default and half its maximum: a quiet watch costs a request in five minutes. */
const WAIT_MS = 300_000;
/** The shortest wait of a query, as a share of the longest: hosts that began together do not ask together. */
const EARLY = 0.9;
/** The rate of a busy prefix: so many wake-ups at once, then one per interval. */
const BURST = 4;
const INTERVAL_MS = 25;
/** Lengthens the interval with the reply, so that a big busy prefix takes a fifth of a core and no more. */
const INTERVAL_MS_PER_CHARACTER = 100e-6;
/** While Consul is away: soon enough that all hosts agree within seconds of its return, seldom enough to cost nothing. */
const RETRY = { minMs: 100, maxMs: 2_000 };

/**
 * A consumer that kept us longer than this gets a full read next: had Consul lost its state meanwhile, it would hold a query
 * for an index that is far in its future.
 */
const SLOW_CONSUMER_MS = 500;
/** A query that waits is left alone for so long by failures of other calls. */
const TRUSTED_MS = 2_000;

export interface WatchSource {
  list(prefix: string, options: ListOptions): Promise<Listing>;
  onAway(listener: () => void): () => void;
  readonly outage: Pick<Outage, 'turn' | 'leave'>;
}

/**
 * One watch of a prefix: blocking queries, each answered with everything under it.
 *
 * A full and consistent read comes first, after every failure, and after an index that went back; blocking queries follow it.
 * A query that waits hears nothing of a server that hangs or was cut off from the others, so it is given up for a full read
 * when some other call finds Consul away. One that ends before its time with nothing new says that a backup was restored: Consul
 * then answers with what was, and would wait for an index that may be far off. Keys are compared one by one: a reply without a change wakes nobody.
 */
export class PrefixWatch {
  readonly #source: WatchSource;
  readonly #prefix: string;
  readonly #options: WatchOptions;
  readonly #waitMs: number;
  readonly #entries = new Map<string, Entry>();
  readonly #retry = new Backoff(RETRY);
  readonly #pace = new Pace();
  #index = 0;
  #isFirst = true;
  #isReachable: boolean | undefined;

  /** `waitMs`: tests shorten it. */
  constructor(source: WatchSource, prefix: string, options: WatchOptions, waitMs = WAIT_MS) {
    this.#source = source;
    this.#prefix = prefix;
    this.#options = options;
    this.#waitMs = waitMs;
  }

  /** Snapshots until the signal aborts. */
  async *snapshots(): AsyncGenerator<Snapshot, void> {
    try {
      yield* this.#follow();
    } finally {
      this.#source.outage.leave(this);
    }
  }

  async *#follow(): AsyncGenerator<Snapshot, void> {
    const { signal } = this.#options;
    while (!signal.aborted) {
      const listing = await this.#read();
      if (signal.aborted) return;
      if (!listing) continue;
      const changed = applyListing(this.#entries, listing.entries);
      if (changed.size > 0 || this.#isFirst) {
        this.#isFirst = false;
        const givenAt = performance.now();
        yield { entries: this.#entries, changed };
        if (performance.now() - givenAt > SLOW_CONSUMER_MS) this.#index = 0;
      }
      await pause(this.#pace.next(listing.size), signal);
    }
  }

  /** The next listing to believe; undefined: ask again. */
  async #read(): Promise<Listing | undefined> {
    const { signal } = this.#options;
    const waitedOn = this.#index;
    this.#index = 0;
    const begin = performance.now();
    try {
      const listing = waitedOn > 0 ? await this.#wait(waitedOn) : await this.#listAll();
      if (!listing) return undefined;
      this.#tell(true);
      const isEarly = performance.now() - begin < this.#waitMs * EARLY;
      if (waitedOn === listing.index && isEarly) {
        await pause(this.#retry.nextMs(), signal);
        return undefined;
      }
      this.#index = nextIndex(waitedOn, listing.index);
      // Only what waited proves that it works again: a server that answers and then cuts must not be asked in a tight loop.
      if (waitedOn > 0 && this.#index > 0) this.#retry.reset();
      if (this.#index > 0) return listing;
    } catch (error) {
      if (signal.aborted) return undefined;
      // Without this a bug of ours would be retried for ever, unseen.
      if (!(error instanceof StoreError)) throw error;
      this.#tell(false, error);
      if (error.code === 'UNAVAILABLE') {
        await this.#source.outage.turn(this, this.#retry.nextMs(), signal);
        return undefined;
      }
    }
    await pause(this.#retry.nextMs(), signal);
    return undefined;
  }

  async #listAll(): Promise<Listing> {
    return this.#source.list(this.#prefix, { signal: this.#options.signal });
  }

  /** A blocking query; undefined when it was given up. */
  async #wait(index: number): Promise<Listing | undefined> {
    const { signal } = this.#options;
    const query = new AbortController();
    const giveUp = (): void => query.abort();
    signal.addEventListener('abort', giveUp, { once: true });
    const begin = performance.now();
    const unsubscribe = this.#source.onAway(() => {
      if (performance.now() - begin > TRUSTED_MS) giveUp();
    });
    try {
      const waitMs = this.#waitMs * (EARLY + Math.random() * (1 - EARLY));
      return await this.#source.list(this.#prefix, {
        signal: query.signal,
        after: { index, waitMs },
      });
    } catch (error) {
      if (query.signal.aborted && !(error instanceof StoreError)) return undefined;
      throw error;
    } finally {
      unsubscribe();
      signal.removeEventListener('abort', giveUp);
    }
  }

  #tell(isReachable: boolean, cause?: StoreError): void {
    if (this.#isReachable === isReachable) return;
    this.#isReachable = isReachable;
    this.#options.onState?.(isReachable, cause);
  }
}

/** Brings `known` to `listed` in place and tells the keys that differ. */
export function applyListing(known: Map<string, Entry>, listed: readonly Entry[]): Set<string> {
  const changed = new Set<string>();
  for (const entry of listed) {
    const before = known.get(entry.key);
    // The value too: after Consul lost its state the same version may be of another life.
    if (before?.version === entry.version && before.value === entry.value) continue;
    known.set(entry.key, entry);
    changed.add(entry.key);
  }
  if (known.size > listed.length) {
    const present = new Set(listed.map(({ key }) => key));
    for (const key of known.keys()) {
      if (present.has(key)) continue;
      known.delete(key);
      changed.add(key);
    }
  }
  return changed;
}

/** Lets a burst through at once and spaces out the rest. */
class Pace {
  /** When the next would be due if none came in a burst. */
  #due = 0;

  /** How long to wait before the next read, in milliseconds, after one of `size` characters. */
  next(size: number): number {
    const interval = INTERVAL_MS + size * INTERVAL_MS_PER_CHARACTER;
    const now = performance.now();
    this.#due = Math.max(this.#due, now) + interval;
    return this.#due - now - BURST * interval;
  }
}
