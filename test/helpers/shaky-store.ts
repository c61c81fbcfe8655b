import { setImmediate as turn } from 'node:timers/promises';
import {
  BorrowedStore,
  type CallOptions,
  type Entry,
  type Lease,
  type Op,
  type Outcome,
  type Store,
  StoreError,
} from '../../src/store/index.js';

export interface Shakiness {
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Share of calls that fail, half of them after they were committed. */
  readonly failures: number;
}

/**
 * One host's way to a store that others use too: calls take time, fail before or after they were committed, and stop for good
 * when the host dies.
 */
export class ShakyStore extends BorrowedStore {
  readonly #shakiness: Shakiness;
  #callsLeft = Number.POSITIVE_INFINITY;
  #onDeath: () => void = () => undefined;
  /** Resolves when the host has died. */
  readonly died = new Promise<void>((resolve) => (this.#onDeath = resolve));

  constructor(inner: Store, shakiness: Shakiness) {
    super(inner);
    this.#shakiness = shakiness;
  }

  /** The host dies after this many more calls: they never return. */
  dieAfter(calls: number): void {
    this.#callsLeft = calls;
  }

  override async get(key: string, options?: CallOptions): Promise<Entry | undefined> {
    return this.#call(async () => this.inner.get(key, options));
  }

  override async list(prefix: string, options?: CallOptions): Promise<Entry[]> {
    return this.#call(async () => this.inner.list(prefix, options));
  }

  override async transact(ops: readonly Op[], options?: CallOptions): Promise<Outcome> {
    return this.#call(async () => this.inner.transact(ops, options));
  }

  override async lease(options: Parameters<Store['lease']>[0]): Promise<Lease> {
    return this.#call(async () => this.inner.lease(options));
  }

  async #call<T>(run: () => Promise<T>): Promise<T> {
    await this.#wander();
    const { random, failures } = this.#shakiness;
    const fate = random();
    if (fate < failures / 2) throw away();
    const result = await run();
    await this.#wander();
    if (fate < failures) throw away();
    return result;
  }

  async #wander(): Promise<void> {
    this.#callsLeft -= 0.5;
    if (this.#callsLeft < 0) {
      this.#onDeath();
      await new Promise(() => undefined);
    }
    for (let turns = Math.floor(this.#shakiness.random() * 4); turns > 0; turns -= 1) await turn();
  }
}

function away(): StoreError {
  return new StoreError({ code: 'UNAVAILABLE', store: 'shaky' }, 'the store is away');
}
