/**
 * The store that weft's hosts share: one port, two backends.
 *
 * Promises: what store.ts says of each call, proven by one contract suite on both backends.
 * Does not: know what the values mean, or keep a cache.
 */
export {
  MAX_OPS,
  type CallOptions,
  type Entry,
  type Lease,
  type Op,
  type Outcome,
  type Snapshot,
  type Store,
} from './store.js';
export { StoreError, type StoreDetail } from './errors.js';
