/**
 * Serves names inside containers' namespaces, on a thread of its own, or in a process that survives the daemon's restarts.
 *
 * Promises: a container's questions reach Docker's own resolver when they are not ours, when this thread is gone, and when its
 * namespace allows no listener. Does not: know who is in a namespace.
 */
export { type NamesProcessOptions, openNamesProcess } from './process.js';
export type { Sandbox, SandboxState } from './protocol.js';
export { NameServer, type NameServerOptions } from './server.js';
