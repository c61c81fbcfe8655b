import type {
  CallOptions,
  Entry,
  Lease,
  Op,
  Outcome,
  Snapshot,
  Store,
  WatchOptions,
} from '../../src/store/index.js';

interface Gate {
  readonly matches: (op: Op) => boolean;
  readonly arrived: () => void;
  readonly opened: Promise<void>;
}

/** One host's way to a store that others use too, which can be held up before a transaction. */
export class GatedStore implements Store {
  readonly kind = 'embedded';
  readonly #inner: Store;
  #gate: Gate | undefined;

  constructor(inner: Store) {
    this.#inner = inner;
  }

  /** Holds up the next transaction that has such an operation; `arrived` resolves when it is there, `open` lets it go on. */
  hold(matches: (op: Op) => boolean): {
    readonly arrived: Promise<void>;
    readonly open: () => void;
  } {
    let open = (): void => undefined;
    const opened = new Promise<void>((resolve) => (open = resolve));
    const arrived = new Promise<void>((resolve) => {
      this.#gate = { matches, opened, arrived: resolve };
    });
    return { arrived, open };
  }

  async transact(ops: readonly Op[], options?: CallOptions): Promise<Outcome> {
    const gate = this.#gate;
    if (gate && ops.some(gate.matches)) {
      this.#gate = undefined;
      gate.arrived();
      await gate.opened;
    }
    return this.#inner.transact(ops, options);
  }

  async get(key: string, options?: CallOptions): Promise<Entry | undefined> {
    return this.#inner.get(key, options);
  }

  async list(prefix: string, options?: CallOptions): Promise<Entry[]> {
    return this.#inner.list(prefix, options);
  }

  watch(prefix: string, options: WatchOptions): AsyncIterable<Snapshot> {
    return this.#inner.watch(prefix, options);
  }

  async lease(options: { readonly name: string; readonly ttlMs: number }): Promise<Lease> {
    return this.#inner.lease(options);
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
