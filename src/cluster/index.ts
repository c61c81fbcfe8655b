/**
 * What hosts share, as typed documents over the store: who is alive, which networks there are, who is attached where.
 *
 * Promises: a document is parsed before anyone sees it; one writer per key but for claims, which are check-and-set.
 * Does not: know the kernel or Docker, or give out addresses.
 */
export {
  type EndpointRecord,
  type EndpointsDocument,
  type HostDocument,
  type NetworkDocument,
  type PoolReference,
  isNetworkName,
} from './documents.js';
export { ClusterError, type ClusterDetail } from './errors.js';
export { type AnnounceState, HostAnnouncer } from './hosts.js';
export { type NetworksOptions, type NewNetwork, type VniRange, Networks } from './networks.js';
export { ClusterView, type RemoteEndpoint, type RemoteState, type ViewEvents } from './view.js';
