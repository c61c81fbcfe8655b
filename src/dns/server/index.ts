/**
 * Serves names inside containers' namespaces, on a thread of its own.
 *
 * Promises: a container's questions reach Docker's own resolver when they are not ours, when this thread is gone, and when its
 * namespace allows no listener. Does not: know who is in a namespace.
 */
export type { Sandbox, SandboxState } from './protocol.js';
export { NameServer, type NameServerOptions } from './server.js';
