import type { Address } from '../net/index.js';

interface Waiter {
  readonly resolve: (address: Address) => void;
  readonly reject: (error: unknown) => void;
}

/** Requests for any address, in the order they came, each with a bound. */
export class WaitingLine {
  readonly #patienceMs: number;
  readonly #late: () => Error;
  readonly #waiters = new Set<Waiter>();

  /** `late`: what a request fails with whose time is up. */
  constructor(patienceMs: number, late: () => Error) {
    this.#patienceMs = patienceMs;
    this.#late = late;
  }

  get length(): number {
    return this.#waiters.size;
  }

  async join(signal: AbortSignal): Promise<Address> {
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', giveUp);
        this.#waiters.delete(waiter);
      };
      const waiter: Waiter = {
        resolve: (address) => {
          leave();
          resolve(address);
        },
        reject: (error) => {
          leave();
          reject(error);
        },
      };
      const giveUp = (): void => waiter.reject(this.#late());
      const timer = setTimeout(giveUp, this.#patienceMs);
      signal.addEventListener('abort', giveUp, { once: true });
      this.#waiters.add(waiter);
      if (signal.aborted) giveUp();
    });
  }

  /** Serves those who came first; returns what nobody waits for any more. */
  serve(addresses: readonly Address[]): Address[] {
    const left = [...addresses];
    for (const waiter of this.#waiters) {
      const address = left.shift();
      if (address === undefined) break;
      waiter.resolve(address);
    }
    return left;
  }

  fail(error: unknown): void {
    for (const waiter of this.#waiters) waiter.reject(error);
  }
}
