/**
 * This host's data path: desired state, observed state, the steps between.
 *
 * Promises: what types.ts says. Each network lives in a namespace of its own and touches nothing outside but one link per
 * container and a firewall table that keeps strangers from its VXLAN port. What carries our mark is ours to change and
 * delete, nothing else is. When somebody else changes what is ours it is put back, within a fraction of a second where the
 * kernel tells of it. Stopping leaves all as it is, and the next start takes it over without a change.
 *
 * Does not: read the store, know Docker, choose addresses, VNIs or MTUs.
 *
 * What it costs in the kernel, per network and host: a namespace, a bridge, a VXLAN link; per remote host one flood row;
 * per remote endpoint two FDB entries and a neighbor for each address; per local endpoint a veth, one FDB entry, a neighbor
 * for each address, a chain of rules.
 */
export { type DatapathOptions, type KernelDatapath, openDatapath } from './datapath.js';
export { VxlanError, type VxlanDetail } from './errors.js';
export type { Kernel } from './kernel.js';
export type { Entered, Sandbox } from './sandbox.js';
export { overlayMtu } from './mtu.js';
export type {
  Datapath,
  DatapathStatus,
  LocalEndpoint,
  NetworkRules,
  NetworkSpec,
  NetworkStatus,
  Peer,
  Remote,
  RoundReport,
  Underlay,
} from './types.js';
