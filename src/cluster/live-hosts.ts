import type { HostDocument } from './documents.js';

/** Long enough for every host to notice that its lease is gone and to take another. */
const HOLD_MS = 15_000;

/**
 * Which hosts count as alive: those whose documents are there, and, while the store has also lost this host's own document, those
 * that were alive before. A store that comes back from an outage may have let every lease run out; that says nothing of the hosts.
 */
export class LiveHosts {
  readonly #self: string;
  readonly #clock: () => number;
  #live = new Map<string, HostDocument>();
  #heldUntil = 0;

  constructor(self: string, clock: () => number = () => performance.now()) {
    this.#self = self;
    this.#clock = clock;
  }

  /** Takes the present documents; answers in how many milliseconds to ask again, if some are only held. */
  update(documents: readonly HostDocument[]): number | undefined {
    const present = new Map(documents.map((host) => [host.id, host]));
    const now = this.#clock();
    if (!present.has(this.#self) && this.#live.has(this.#self)) this.#heldUntil = now + HOLD_MS;
    const before = this.#live;
    this.#live = present;
    if (now >= this.#heldUntil) return undefined;
    let isHolding = false;
    for (const [id, host] of before) {
      if (present.has(id)) continue;
      this.#live.set(id, host);
      isHolding = true;
    }
    return isHolding ? this.#heldUntil - now : undefined;
  }

  get(id: string): HostDocument | undefined {
    return this.#live.get(id);
  }

  all(): HostDocument[] {
    return [...this.#live.values()];
  }
}
