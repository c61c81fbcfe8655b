/** One value in the store. Values are JSON text; who reads parses, and trusts nothing. */
export interface Entry {
  readonly key: string;
  readonly value: string;
  /** Grows with each change of this key; compare only for equality. Never 0, which means absent. */
  readonly version: number;
}

/** One step of a transaction. `ifVersion`: the key must have this version now; 0: it must be absent. */
export type Op =
  | {
      readonly op: 'set';
      readonly key: string;
      readonly value: string;
      readonly ifVersion?: number;
      /** The key goes away with this lease. */
      readonly lease?: Lease;
    }
  | { readonly op: 'delete'; readonly key: string; readonly ifVersion?: number }
  | { readonly op: 'check'; readonly key: string; readonly ifVersion: number };

export type Outcome =
  /** `versions`: what each key that was set has now, so that the next check-and-set needs no read. */
  | { readonly ok: true; readonly versions: ReadonlyMap<string, number> }
  /** Nothing was written. `index` is the first operation that did not hold. */
  | { readonly ok: false; readonly index: number };

/** What a watch yields: everything under the prefix, as of one moment. */
export interface Snapshot {
  readonly entries: ReadonlyMap<string, Entry>;
  /** Keys that differ from the snapshot before: set, changed or gone. The first snapshot names all. */
  readonly changed: ReadonlySet<string>;
}

/** A promise that this process is alive; keys bound to it go away when it ends. */
export interface Lease extends AsyncDisposable {
  readonly id: string;
  /** Aborts when the store says that the lease is gone, or it could not be renewed for its whole length. */
  readonly lost: AbortSignal;
}

export interface CallOptions {
  readonly signal?: AbortSignal;
}

/**
 * What weft shares. Two backends keep this contract: embedded (one host) and Consul (a cluster).
 *
 * Keys are relative ("hosts/ab12"): the backend adds its prefix. Every call ends within the store's
 * `timeoutMs`; when the backend can't be reached it throws UNAVAILABLE. Reads see the latest committed write.
 */
export interface Store extends AsyncDisposable {
  readonly kind: 'embedded' | 'consul';
  get(key: string, options?: CallOptions): Promise<Entry | undefined>;
  /** Everything whose key starts with `prefix`, ordered by key. */
  list(prefix: string, options?: CallOptions): Promise<Entry[]>;
  /**
   * All operations or none, at most {@link MAX_OPS} of them. A conflict is an outcome, not an error.
   * UNAVAILABLE leaves it unknown whether it was committed: read before writing again.
   */
  transact(ops: readonly Op[], options?: CallOptions): Promise<Outcome>;
  /**
   * The present state, then a snapshot after each change until `signal` aborts (the iteration then ends).
   * Changes that come fast are coalesced. It never ends or throws because the store is away: it retries, and the next
   * snapshot after an outage, an index reset or a lost leader is complete. `onState` hears of both turns.
   */
  watch(
    prefix: string,
    options: { readonly signal: AbortSignal; readonly onState?: (reachable: boolean) => void },
  ): AsyncIterable<Snapshot>;
  /** `ttlMs`: from 10,000 (Consul's floor) to 86,400,000. */
  lease(options: { readonly name: string; readonly ttlMs: number }): Promise<Lease>;
}

/** Consul 1.8 takes no more in one transaction. */
export const MAX_OPS = 64;
