import { setTimeout as delay } from 'node:timers/promises';

/** Who waits for others to find out asks by itself after so long: what keeps them from it may be theirs alone. */
const PATIENCE_MS = 30_000;

/**
 * Retries of many to one thing that is away: one of them asks, and the others follow when it was answered. So an outage costs
 * one attempt at a time, however many want something.
 */
export class Outage {
  /** Whose turn it is to ask; undefined while nobody is refused. */
  #asker: object | undefined;
  readonly #waiting = new Set<() => void>();
  #since = 0;

  /** For how long nobody was answered; 0 when all is well. */
  get lastsMs(): number {
    return this.#asker === undefined ? 0 : performance.now() - this.#since;
  }

  /** After a failure of `who`: returns when it may try again, after `ms` at least, or when the signal aborts. */
  async turn(who: object, ms: number, signal: AbortSignal): Promise<void> {
    if (this.#asker === undefined) this.#since = performance.now();
    this.#asker ??= who;
    await delay(ms, undefined, { signal }).catch(() => undefined);
    const endsAt = performance.now() + PATIENCE_MS;
    while (!signal.aborted && this.#asker !== undefined && this.#asker !== who) {
      const leftMs = endsAt - performance.now();
      if (leftMs <= 0) return;
      await this.#change(leftMs, signal);
    }
  }

  /** Somebody was answered: all ask again. */
  answered(): void {
    if (this.#asker === undefined) return;
    this.#asker = undefined;
    for (const wake of this.#waiting) wake();
  }

  /** Who wants nothing any more leaves its turn to others. */
  leave(who: object): void {
    if (this.#asker === who) this.answered();
  }

  async #change(ms: number, signal: AbortSignal): Promise<void> {
    const woken = new AbortController();
    const wake = (): void => woken.abort();
    this.#waiting.add(wake);
    const either = AbortSignal.any([woken.signal, signal]);
    await delay(ms, undefined, { signal: either }).catch(() => undefined);
    this.#waiting.delete(wake);
  }
}
