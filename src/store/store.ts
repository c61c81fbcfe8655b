import type { StoreError } from './errors.js';

/** One value in the store. Values are JSON text; who reads parses, and trusts nothing. */
export interface Entry {
  readonly key: string;
  readonly value: string;
  /** Grows with each change of this key; compare only for equality. Never 0, which means absent. */
  readonly version: number;
}

/**
 * One step of a transaction. `ifVersion`: the key must have this version now; 0: it must be absent.
 *
 * A set without `lease` leaves the key bound as it was; one that changes nothing leaves the version too, and wakes no watch.
 * A set with a lease binds the key to it, from now on to no other. A delete of an absent key is fine.
 */
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
  /**
   * In no order. The map belongs to the watch: it stays as it is until the consumer asks for the next snapshot, and is then
   * brought up to date in place, so that a change costs the same however much is watched. Copy what must live longer.
   */
  readonly entries: ReadonlyMap<string, Entry>;
  /** Keys that differ from the snapshot before: set, changed or gone. The first snapshot names all. */
  readonly changed: ReadonlySet<string>;
}

/**
 * A promise that this process is alive; keys bound to it go away when it ends.
 *
 * Disposing of it ends it. Disposing of the store does not: the lease is renewed no more and runs out by itself, so that a
 * daemon which restarts in time was never gone. (A lease of the embedded store ends with its process.)
 */
export interface Lease extends AsyncDisposable {
  readonly id: string;
  /**
   * Aborts when the store says that the lease is gone, or it could not be renewed for its whole length. Not when it is
   * disposed of.
   */
  readonly lost: AbortSignal;
}

export interface CallOptions {
  /** Rejects the call with the signal's reason. A transaction under way may still be committed. */
  readonly signal?: AbortSignal;
}

export interface WatchOptions extends CallOptions {
  /** Ends the watch. */
  readonly signal: AbortSignal;
  /**
   * Where the heads are: for each key under the prefix one with the same rest under this prefix, whose value, something short, changes in the
   * same transaction. A change then costs what it is and not all that is watched; what is shown of two keys may be of two moments. Changes
   * without it are seen too.
   */
  readonly heads?: string;
  /** Hears whether the store can be reached: at each turn, and before the first snapshot. `cause`: why it can't. */
  readonly onState?: (reachable: boolean, cause?: StoreError) => void;
}

/**
 * What weft shares. Two backends keep this contract: embedded (one host) and Consul (a cluster).
 *
 * Keys are relative ("hosts/ab12"), as limits.ts has them: the backend adds its prefix. Every call ends within the store's
 * `timeoutMs`; when the backend can't be reached it throws UNAVAILABLE. Reads see the latest committed write. Calls that
 * break a limit throw STORE_REFUSED; calls after the store was disposed of STORE_CLOSED.
 */
export interface Store extends AsyncDisposable {
  readonly kind: 'embedded' | 'consul';
  get(key: string, options?: CallOptions): Promise<Entry | undefined>;
  /** Everything whose key starts with `prefix`, ordered by key. The empty prefix is everything. */
  list(prefix: string, options?: CallOptions): Promise<Entry[]>;
  /** Those of these keys that are absent. For looking often: no values move, and what is written at this moment may be missed. */
  absent(keys: readonly string[], options?: CallOptions): Promise<string[]>;
  /**
   * All operations or none, each on a key of its own; limits.ts says how many. A conflict is an outcome, not an error.
   * UNAVAILABLE leaves it unknown whether it was committed: read before writing again. LEASE_LOST: nothing was written.
   */
  transact(ops: readonly Op[], options?: CallOptions): Promise<Outcome>;
  /**
   * The present state, then a snapshot after each change until `signal` aborts or the store is disposed of (the iteration then ends).
   * Changes that come fast are coalesced. It never ends or throws because the store is away: it retries, and the next
   * snapshot after an outage, an index reset or a lost leader is complete.
   */
  watch(prefix: string, options: WatchOptions): AsyncIterable<Snapshot>;
  /** `ttlMs`: from MIN_LEASE_MS to MAX_LEASE_MS. */
  lease(options: { readonly name: string; readonly ttlMs: number }): Promise<Lease>;
}
