import { setTimeout as delay } from 'node:timers/promises';

export interface BackoffOptions {
  readonly minMs: number;
  readonly maxMs: number;
  /** Uniform in [0, 1); tests inject their own. */
  readonly random?: () => number;
}

/** Exponential backoff with full jitter above half of each step, so that hosts do not retry in step. */
export class Backoff {
  readonly #options: BackoffOptions;
  #attempt = 0;

  constructor(options: BackoffOptions) {
    this.#options = options;
  }

  /** The next wait in milliseconds; it doubles up to `maxMs`. */
  nextMs(): number {
    const { minMs, maxMs, random = Math.random } = this.#options;
    const step = Math.min(maxMs, minMs * 2 ** this.#attempt);
    if (step < maxMs) this.#attempt += 1;
    return step / 2 + (random() * step) / 2;
  }

  reset(): void {
    this.#attempt = 0;
  }

  /** Waits the next step. Rejects with the signal's reason when aborted. */
  async wait(signal: AbortSignal): Promise<void> {
    try {
      await delay(this.nextMs(), undefined, { signal });
    } catch (error) {
      signal.throwIfAborted(); // the timer wraps the reason
      throw error;
    }
  }
}
