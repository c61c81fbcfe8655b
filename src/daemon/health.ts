import { messageOf } from '../util/index.js';

export interface Degradation {
  readonly code: string;
  readonly text: string;
  /** ISO 8601. */
  readonly since: string;
}

/** What is wrong at this moment, and since when: the one place that `weft status` reads. */
export class Health {
  readonly #degraded = new Map<string, Degradation>();
  readonly #notes = new Map<string, Degradation>();
  readonly #now: () => Date;
  #storeReachable: boolean | undefined;
  #storeSince: Date;

  constructor(now: () => Date = () => new Date()) {
    this.#now = now;
    this.#storeSince = now();
  }

  /** `key`: a code, and what it is about if there may be several. Undefined: it is well. */
  set(key: string, error: unknown): void {
    if (error === undefined) {
      this.#degraded.delete(key);
      return;
    }
    this.#degraded.set(key, this.#entry(key, messageOf(error), this.#degraded.get(key)));
  }

  /** What is as it should be, and still worth knowing. */
  note(key: string, text: string | undefined): void {
    if (text === undefined) this.#notes.delete(key);
    else this.#notes.set(key, this.#entry(key, text, this.#notes.get(key)));
  }

  notes(): Degradation[] {
    return [...this.#notes.values()];
  }

  /** True when this is a turn. */
  setStore(reachable: boolean): boolean {
    if (this.#storeReachable === reachable) return false;
    this.#storeReachable = reachable;
    this.#storeSince = this.#now();
    this.set(
      'STORE_UNREACHABLE',
      reachable ? undefined : 'the shared store does not answer; traffic flows, new networks wait',
    );
    return true;
  }

  get store(): { readonly reachable: boolean; readonly since: string } {
    return { reachable: this.#storeReachable ?? false, since: this.#storeSince.toISOString() };
  }

  degraded(): Degradation[] {
    return [...this.#degraded.values()];
  }

  #entry(key: string, text: string, before: Degradation | undefined): Degradation {
    const since = before?.since ?? this.#now().toISOString();
    return { code: key.split(' ')[0]!, text, since };
  }
}
