import { StoreError } from './errors.js';
import type { Op, Store } from './store.js';

/**
 * Steps of one transaction: Consul 1.8 takes no more. Some operations need several of Consul's, see {@link stepsOf}; the
 * embedded store counts alike, so that what works on one host works on many.
 */
export const MAX_STEPS = 64;

/**
 * Keys and values of one transaction, octets of UTF-8. Consul takes a request of 512 KiB (txn_max_req_len), in which values
 * are base64 and each operation has a frame.
 */
export const MAX_TRANSACTION_BYTES = 350_000;

export const MAX_KEY_LENGTH = 512;

/** Consul's bounds of a session's TTL. */
export const MIN_LEASE_MS = 10_000;
export const MAX_LEASE_MS = 86_400_000;

/** Parts of a key are separated by single slashes and made of what needs no escape in a URL's path. */
const KEY = /^[A-Za-z0-9._:@,=+~-]+(?:\/[A-Za-z0-9._:@,=+~-]+)*$/;
const PREFIX = /^(?:[A-Za-z0-9._:@,=+~-]+\/)*[A-Za-z0-9._:@,=+~-]*$/;
const DOTS = /(?:^|\/)\.{1,2}(?:\/|$)/;
const LONE_SURROGATE = /\p{Surrogate}/u;

/** Throws STORE_REFUSED unless `key` may be a key. */
export function checkKey(store: Store['kind'], key: string): void {
  if (key.length > MAX_KEY_LENGTH || !KEY.test(key) || DOTS.test(key)) {
    throw refused(store, `${JSON.stringify(key.slice(0, 80))} can't be a key`);
  }
}

/** Throws STORE_REFUSED unless keys may start with `prefix`. */
export function checkPrefix(store: Store['kind'], prefix: string): void {
  if (prefix.length > MAX_KEY_LENGTH || !PREFIX.test(prefix)) {
    throw refused(store, `no key can start with ${JSON.stringify(prefix.slice(0, 80))}`);
  }
}

/** A set with a lease takes 2 steps, and 1 more with `ifVersion`; a delete of a given version takes 2; all else takes 1. */
export function stepsOf(op: Op): number {
  if (op.op === 'set' && op.lease) return op.ifVersion === undefined ? 2 : 3;
  return op.op === 'delete' && op.ifVersion ? 2 : 1;
}

/** Throws STORE_REFUSED when the transaction breaks a limit; both backends ask before they start. */
export function checkOps(store: Store['kind'], ops: readonly Op[]): void {
  const steps = ops.reduce((sum, op) => sum + stepsOf(op), 0);
  if (steps > MAX_STEPS) {
    throw refused(store, `a transaction holds ${MAX_STEPS} steps at most, this one has ${steps}`);
  }
  const keys = new Set<string>();
  let bytes = 0;
  for (const op of ops) {
    checkKey(store, op.key);
    if (keys.has(op.key)) throw refused(store, `the transaction names ${op.key} twice`);
    keys.add(op.key);
    bytes += op.key.length + (op.op === 'set' ? Buffer.byteLength(op.value) : 0);
    if (op.op === 'set' && LONE_SURROGATE.test(op.value)) {
      throw refused(store, `the value of ${op.key} is not well-formed text`);
    }
    if (op.ifVersion !== undefined && !(Number.isSafeInteger(op.ifVersion) && op.ifVersion >= 0)) {
      throw refused(store, `${op.ifVersion} is no version of ${op.key}`);
    }
  }
  if (bytes > MAX_TRANSACTION_BYTES) {
    throw refused(
      store,
      `a transaction holds ${MAX_TRANSACTION_BYTES} octets at most, this one of ${keys.size} keys has ${bytes}`,
    );
  }
}

/** Throws STORE_REFUSED unless a lease may have this length. */
export function checkTtl(store: Store['kind'], ttlMs: number): void {
  if (!(ttlMs >= MIN_LEASE_MS && ttlMs <= MAX_LEASE_MS)) {
    throw refused(store, `a lease lasts ${MIN_LEASE_MS} to ${MAX_LEASE_MS} ms, not ${ttlMs}`);
  }
}

function refused(store: string, message: string): StoreError {
  return new StoreError({ code: 'STORE_REFUSED', store }, message);
}
