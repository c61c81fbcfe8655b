import { setTimeout as delay } from 'node:timers/promises';
import type { Store } from '../store/index.js';

/** With it, and what putting back takes, a key is there again within two seconds. */
const EVERY_MS = 1200;
/** How many looks a second all hosts of a cluster take together: a store answers many times that. */
const LOOKS_PER_SECOND = 200;
/** What this host itself writes or gives up at this moment looks lost, but not for long. */
const CONFIRM_MS = 200;
/** Of more keys, each look takes the next so many. */
const KEYS_PER_LOOK = 256;

/** Puts keys back that are gone. Repeating it is fine. */
export type Mend = () => void | Promise<void>;

export interface KeyGuardOptions {
  readonly store: Store;
  /** The keys that this host answers for and that have to be there now, and who puts each back. Empty while that can't be told. */
  readonly keys: () => ReadonlyMap<string, Mend>;
  /** How many hosts look. */
  readonly hosts: () => number;
  /** Hears what each look found gone before it is put back; usually nothing. */
  readonly onLooked: (gone: readonly string[]) => void;
  readonly onError: (error: unknown) => void;
}

/**
 * Looks whether somebody deleted keys that this host answers for, and has them put back.
 *
 * A look instead of watches: a watch takes a connection, hosts have some keys for each network, and a Consul agent gives one client 200
 * connections by default. One look asks for many keys at once, and moves no values. The more hosts there are the less often
 * each looks, so that the store's load stays the same.
 */
export class KeyGuard implements AsyncDisposable {
  readonly #options: KeyGuardOptions;
  readonly #aborter = new AbortController();
  #next = 0;
  #loop: Promise<void> = Promise.resolve();

  constructor(options: KeyGuardOptions) {
    this.#options = options;
  }

  start(): void {
    this.#loop = this.#run();
  }

  /** One look, and what follows from it. */
  async look(): Promise<void> {
    const { store, keys, onLooked } = this.#options;
    const { signal } = this.#aborter;
    const absent = await store.absent(this.#turn([...keys().keys()]), { signal });
    let mends = new Map<string, Mend>();
    if (absent.length > 0) {
      await delay(CONFIRM_MS, undefined, { signal });
      const now = keys();
      const gone = await store.absent(
        absent.filter((key) => now.has(key)),
        { signal },
      );
      mends = new Map(gone.map((key) => [key, now.get(key)!]));
    }
    onLooked([...mends.keys()]);
    for (const mend of new Set(mends.values())) await mend();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#aborter.abort();
    await this.#loop;
  }

  async #run(): Promise<void> {
    const { signal } = this.#aborter;
    while (!signal.aborted) {
      const everyMs = Math.max(EVERY_MS, (this.#options.hosts() * 1000) / LOOKS_PER_SECOND);
      // Each host at a time of its own: what all of them answer for is put back by the first.
      const waitMs = everyMs * (0.7 + 0.3 * Math.random());
      await delay(waitMs, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      try {
        await this.look();
      } catch (error) {
        if (!signal.aborted) this.#options.onError(error);
      }
    }
  }

  #turn(keys: readonly string[]): string[] {
    if (keys.length <= KEYS_PER_LOOK) return [...keys];
    const start = this.#next % keys.length;
    this.#next = start + KEYS_PER_LOOK;
    return [...keys.slice(start), ...keys.slice(0, start)].slice(0, KEYS_PER_LOOK);
  }
}
