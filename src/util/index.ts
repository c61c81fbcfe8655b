/**
 * Small things that every folder needs: errors, lifetimes, backoff, a keyed mutex, unix sockets to serve and to ask, a journal
 * and a lock for state on disk.
 *
 * Promises: no state of its own. Does not: know anything about networks.
 */
export { allDone } from './all-done.js';
export { AppError, hasCode, messageOf } from './errors.js';
export { Backoff, type BackoffOptions } from './backoff.js';
export { Closer } from './closer.js';
export { DirectoryLock } from './directory-lock.js';
export { SMALL_HEAP, keepHeapSmall, keepHeapSmallBeside } from './heap.js';
export { Journal, type JournalDamage, type JournalFile, type JournalOptions } from './journal.js';
export { Outage } from './outage.js';
export { StateError, type StateDetail } from './state-errors.js';
export { KeyedMutex } from './keyed-mutex.js';
export { SocketError, type SocketDetail } from './socket-errors.js';
export {
  type SocketCall,
  type SocketReply,
  type SocketRequest,
  callOverSocket,
  getOverSocket,
  openOverSocket,
} from './socket-http.js';
export { type UnixSocketOptions, claimUnixSocket } from './unix-socket.js';
export { VERSION } from './version.js';
export { untilAborted } from './abort.js';
