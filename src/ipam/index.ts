/**
 * Docker's IPAM driver over the shared store: pools that no two networks share, addresses that no two endpoints share.
 *
 * Promises: an address is handed out once, whatever crashes, is lost, comes twice or late; containers start from this host's
 * reserve while the store is away; what is lost is found again by comparison with Docker (`reclaim`).
 * Does not: speak Docker's JSON (plugin-api), know which endpoints live (the driver says so), or touch the kernel.
 */
export { type AskedPool, NETWORK_OPTION } from './decide.js';
export { IpamError, type IpamDetail } from './errors.js';
export { Ipam, type PoolDescription } from './ipam.js';
export type { IpamOptions } from './options.js';
export { type ReclaimReport } from './reclaim.js';
export type { ReclaimOptions, Reclaimed } from './reclaim.js';
export type { Occupied } from './prefixes.js';
