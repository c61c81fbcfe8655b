/**
 * What Docker's network calls do: data path, addresses and the cluster brought together.
 *
 * Promises: every call is idempotent and leaves nothing half-made; what this host owes the cluster is written when the store can take it.
 * Does not: speak Docker's JSON (plugin-api), or decide how the kernel is programmed (vxlan).
 */
export { Bindings, type EndpointBinding, type Leaving, type NetworkBinding } from './bindings.js';
export { type Announced, Driver, type DriverDeps } from './driver.js';
export { DriverError, type DriverDetail } from './errors.js';
export { Membership, type MembershipDeps, type RemovedNetwork } from './membership.js';
export type { Addresses, Policing } from './ports.js';
