import {
  BorrowedStore,
  type CallOptions,
  type Entry,
  type Op,
  type Outcome,
  StoreError,
} from '../../src/store/index.js';

/** How a store fails. */
export type Weather =
  | 'fine'
  /** No call gets there. */
  | 'down'
  /** Calls get there, answers do not come back. */
  | 'deaf';

/** One host's view of a shared store, with faults on order. Closing it leaves the shared store open. */
export class FlakyStore extends BorrowedStore {
  weather: Weather = 'fine';
  /** Calls that got through, by method. */
  readonly calls = { get: 0, list: 0, absent: 0, transact: 0 };

  get total(): number {
    return Object.values(this.calls).reduce((sum, calls) => sum + calls);
  }

  override async get(key: string, options?: CallOptions): Promise<Entry | undefined> {
    return this.#pass('get', async () => this.inner.get(key, options));
  }

  override async list(prefix: string, options?: CallOptions): Promise<Entry[]> {
    return this.#pass('list', async () => this.inner.list(prefix, options));
  }

  override async absent(keys: readonly string[], options?: CallOptions): Promise<string[]> {
    return this.#pass('absent', async () => this.inner.absent(keys, options));
  }

  override async transact(ops: readonly Op[], options?: CallOptions): Promise<Outcome> {
    return this.#pass('transact', async () => this.inner.transact(ops, options));
  }

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
