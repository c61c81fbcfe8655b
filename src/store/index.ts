/**
 * The store that weft's hosts share: one port, two backends.
 *
 * Promises: what store.ts says of each call, proven by one contract suite on both backends.
 * Does not: know what the values mean, or keep a cache.
 */
export type {
  CallOptions,
  Entry,
  Lease,
  Op,
  Outcome,
  Snapshot,
  Store,
  WatchOptions,
} from './store.js';
export {
  MAX_KEY_LENGTH,
  MAX_LEASE_MS,
  MAX_STEPS,
  MAX_TRANSACTION_BYTES,
  MIN_LEASE_MS,
  stepsOf,
} from './limits.js';
export { StoreError, type StoreDetail } from './errors.js';
export { BorrowedStore } from './borrowed.js';
export { EmbeddedStore, type EmbeddedOptions } from './embedded.js';
export { ConsulStore, type ConsulOptions } from './consul.js';
export type { ConsulTls } from './consul-http.js';
