import {
  type CallOptions,
  type Entry,
  type Lease,
  type Op,
  type Outcome,
  type Snapshot,
  type Store,
  StoreError,
  type WatchOptions,
} from '../../src/store/index.js';

/** How a store fails. */
export type Weather =
  | 'fine'
  /** No call gets there. */
  | 'down'
  /** Calls get there, answers do not come back. */
  | 'deaf';

/** One host's view of a shared store, with faults on order. Closing it leaves the shared store open. */
export class FlakyStore implements Store {
  readonly kind = 'embedded';
  readonly #store: Store;
  weather: Weather = 'fine';
  /** Calls that got through, by method. */
  readonly calls = { get: 0, list: 0, transact: 0 };

  constructor(store: Store) {
    this.#store = store;
  }

  get total(): number {
    return this.calls.get + this.calls.list + this.calls.transact;
  }

  async get(key: string, options?: CallOptions): Promise<Entry | undefined> {
    return this.#pass('get', async () => this.#store.get(key, options));
  }

  async list(prefix: string, options?: CallOptions): Promise<Entry[]> {
    return this.#pass('list', async () => this.#store.list(prefix, options));
  }

  async transact(ops: readonly Op[], options?: CallOptions): Promise<Outcome> {
    return this.#pass('transact', async () => this.#store.transact(ops, options));
  }

  watch(prefix: string, options: WatchOptions): AsyncIterable<Snapshot> {
    return this.#store.watch(prefix, options);
  }

  async lease(options: { readonly name: string; readonly ttlMs: number }): Promise<Lease> {
    return this.#store.lease(options);
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  async #pass<T>(method: keyof FlakyStore['calls'], call: () => Promise<T>): Promise<T> {
    if (this.weather === 'down') throw away();
    this.calls[method] += 1;
    const result = await call();
    if (this.weather === 'deaf') throw away();
    return result;
  }
}

function away(): StoreError {
  return new StoreError({ code: 'UNAVAILABLE', store: 'embedded' }, 'no answer');
}
