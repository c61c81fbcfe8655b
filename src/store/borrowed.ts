import type {
  CallOptions,
  Entry,
  Lease,
  Op,
  Outcome,
  Snapshot,
  Store,
  WatchOptions,
} from './store.js';

/** Somebody else's store, which stays open when this is closed. Base of stores that change what some calls do. */
export class BorrowedStore implements Store {
  readonly kind: Store['kind'];
  protected readonly inner: Store;

  constructor(inner: Store) {
    this.kind = inner.kind;
    this.inner = inner;
  }

  async get(key: string, options?: CallOptions): Promise<Entry | undefined> {
    return this.inner.get(key, options);
  }

  async list(prefix: string, options?: CallOptions): Promise<Entry[]> {
    return this.inner.list(prefix, options);
  }

  async absent(keys: readonly string[], options?: CallOptions): Promise<string[]> {
    return this.inner.absent(keys, options);
  }

  async transact(ops: readonly Op[], options?: CallOptions): Promise<Outcome> {
    return this.inner.transact(ops, options);
  }

  watch(prefix: string, options: WatchOptions): AsyncIterable<Snapshot> {
    return this.inner.watch(prefix, options);
  }

  async lease(options: Parameters<Store['lease']>[0]): Promise<Lease> {
    return this.inner.lease(options);
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
