/**
 * Small things that every folder needs: errors, lifetimes, backoff, a keyed mutex, unix sockets to serve and to ask.
 *
 * Promises: no state of its own. Does not: know anything about networks.
 */
export { AppError, hasCode, messageOf } from './errors.js';
export { Backoff, type BackoffOptions } from './backoff.js';
export { Closer } from './closer.js';
export { KeyedMutex } from './keyed-mutex.js';
export { SocketError, type SocketDetail } from './socket-errors.js';
export {
  type SocketReply,
  type SocketRequest,
  getOverSocket,
  openOverSocket,
} from './socket-http.js';
export { type UnixSocketOptions, claimUnixSocket } from './unix-socket.js';
export { VERSION } from './version.js';
export { untilAborted } from './abort.js';
