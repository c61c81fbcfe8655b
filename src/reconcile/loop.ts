import { Backoff, messageOf } from '../util/index.js';
import type { Status } from './status.js';

export interface LoopOptions {
  /** Makes one key right. Throws when it could not, wholly or in part. */
  readonly round: (key: string, signal: AbortSignal) => Promise<void>;
  /** Told after every round. Must not throw. */
  readonly onStatus?: ((key: string, status: Status) => void) | undefined;
  /** From the first wake-up to the round: what comes in between is one round. 100 ms: a burst of kernel events is shorter. */
  readonly coalesceMs?: number | undefined;
  /** Pause after a failed round, doubling from `minMs` to `maxMs`, with jitter. 100 ms to 60 s. */
  readonly retry?: { readonly minMs: number; readonly maxMs: number } | undefined;
  /** A round though nothing happened, give or take a quarter. 30 minutes: a safety net for events that were never sent. */
  readonly refreshMs?: number | undefined;
}

/** Why a key waits: only a wake-up is urgent. */
type Reason = 'mark' | 'retry' | 'refresh';

interface Entry {
  readonly backoff: Backoff;
  readonly abort: AbortController;
  status: Status;
  waiting: { readonly reason: Reason; readonly timer: NodeJS.Timeout } | undefined;
  running: Promise<void> | undefined;
  /** Woken while a round ran, which may have looked before the change. */
  isMarked: boolean;
}

/** Runs rounds for keys; see the folder's promises. Owned by who made it, and closed by them. */
export class Loop implements AsyncDisposable {
  readonly #options: LoopOptions;
  readonly #coalesceMs: number;
  readonly #refreshMs: number;
  readonly #entries = new Map<string, Entry>();
  #isClosed = false;

  constructor(options: LoopOptions) {
    this.#options = options;
    this.#coalesceMs = options.coalesceMs ?? 100;
    this.#refreshMs = options.refreshMs ?? 30 * 60_000;
  }

  /** Takes a key in; its first round is a refresh, unless it is marked. Known keys are left as they are. */
  add(key: string): void {
    if (this.#isClosed || this.#entries.has(key)) return;
    const entry: Entry = {
      backoff: new Backoff(this.#options.retry ?? { minMs: 100, maxMs: 60_000 }),
      abort: new AbortController(),
      status: { state: 'pending' },
      waiting: undefined,
      running: undefined,
      isMarked: false,
    };
    this.#entries.set(key, entry);
    this.#schedule(key, entry, 'refresh');
  }

  /**
   * Asks for a round soon. Any number of marks before it starts are one round; one while it runs brings one more. While a key
   * waits to be retried, marks change nothing: what fails must not run hot on the events that its own rounds cause.
   */
  mark(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    if (entry.running !== undefined) entry.isMarked = true;
    else if (entry.waiting?.reason === 'refresh') this.#schedule(key, entry, 'mark');
  }

  /** Takes in what became of a round that somebody made outside of the loop. A failed one is retried by the loop. */
  record(key: string, error?: unknown): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#settle(key, entry, error);
    // A mark that is waiting is newer than this outcome; a running round schedules for itself.
    if (entry.running !== undefined || entry.waiting?.reason === 'mark') return;
    this.#schedule(key, entry, error === undefined ? 'refresh' : 'retry');
  }

  /** Forgets a key, after the round that runs for it, which it aborts. */
  async remove(key: string): Promise<void> {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    clearTimeout(entry.waiting?.timer);
    entry.abort.abort();
    await entry.running;
  }

  status(key: string): Status | undefined {
    return this.#entries.get(key)?.status;
  }

  #schedule(key: string, entry: Entry, reason: Reason): void {
    clearTimeout(entry.waiting?.timer);
    const timer = setTimeout(
      () => {
        entry.waiting = undefined;
        entry.running = this.#run(key, entry);
      },
      this.#delayMs(entry, reason),
    );
    entry.waiting = { reason, timer };
  }

  #delayMs(entry: Entry, reason: Reason): number {
    if (reason === 'mark') return this.#coalesceMs;
    if (reason === 'retry') return entry.backoff.nextMs();
    return this.#refreshMs * (0.75 + Math.random() / 2);
  }

  async #run(key: string, entry: Entry): Promise<void> {
    let failure: { readonly error: unknown } | undefined;
    try {
      await this.#options.round(key, entry.abort.signal);
    } catch (error) {
      failure = { error };
    }
    entry.running = undefined;
    if (entry.abort.signal.aborted) return;
    const isMarked = entry.isMarked;
    entry.isMarked = false;
    this.#settle(key, entry, failure?.error);
    if (failure !== undefined) this.#schedule(key, entry, 'retry');
    else this.#schedule(key, entry, isMarked ? 'mark' : 'refresh');
  }

  #settle(key: string, entry: Entry, error: unknown): void {
    const at = Date.now();
    if (error === undefined) {
      entry.backoff.reset();
      entry.status = { state: 'ok', at };
    } else {
      const before = entry.status.state === 'degraded' ? entry.status : undefined;
      entry.status = {
        state: 'degraded',
        at,
        since: before?.since ?? at,
        failures: (before?.failures ?? 0) + 1,
        error: messageOf(error),
      };
    }
    this.#options.onStatus?.(key, entry.status);
  }

  /** Stops all rounds and waits for those that run. Twice is fine. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all([...this.#entries.keys()].map(async (key) => this.remove(key)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
