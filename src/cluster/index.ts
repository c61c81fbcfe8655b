/**
 * What hosts share, as typed documents over the store: who belongs to the cluster and who is alive, which networks there
 * are, who is attached where.
 *
 * Promises: a document is parsed before anyone sees it; one writer per key but for claims, which are check-and-set;
 * a host that was removed writes nothing more.
 * Does not: know the kernel or Docker, or give out addresses.
 */
export { Announcement } from './announcement.js';
export {
  type DockerPool,
  type DockerSettings,
  type EndpointNames,
  type EndpointRecord,
  type EndpointsDocument,
  type HostDocument,
  type MemberDocument,
  type NamedService,
  type NetworkDocument,
  type PoolReference,
  formatRecord,
  isNetworkName,
  keys as clusterKeys,
} from './documents.js';
export { ClusterError, type ClusterDetail } from './errors.js';
export { FencedStore, type Ground, Standing } from './fence.js';
export { type AnnouncerOptions, type AnnounceState, HostAnnouncer } from './hosts.js';
export { KeyGuard, type KeyGuardOptions, type Mend } from './key-guard.js';
export { Members, type MembersOptions } from './members.js';
export { type NetworksOptions, type NewNetwork, type VniRange, Networks } from './networks.js';
export { Policies, type PoliciesOptions, type PolicyChange } from './policies.js';
export { type PolicySet, type PolicyText } from './policy-documents.js';
export type { NetworkUser } from './network-members.js';
export { ClusterView, type RemoteEndpoint, type RemoteState, type ViewEvents } from './view.js';
