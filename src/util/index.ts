/**
 * Small things that every folder needs: errors, lifetimes, backoff, a keyed mutex.
 *
 * Promises: no I/O, no state of its own. Does not: know anything about networks.
 */
export { AppError, hasCode, messageOf } from './errors.js';
export { Backoff, type BackoffOptions } from './backoff.js';
export { Closer } from './closer.js';
export { KeyedMutex } from './keyed-mutex.js';
