/**
 * Names of containers: messages on the wire, the zone, and the thread that serves them inside the containers' namespaces.
 *
 * Promises: no work of the main thread delays an answer. Does not: know Docker, the store or the cluster's documents; answer for
 * anything else than names of containers and hosts.
 */
export {
  type NamedEndpoint,
  type NamedHost,
  type Service,
  type Share,
  type ZoneOptions,
} from './zone/index.js';
export { DnsError, type DnsDetail } from './errors.js';
export {
  NameServer,
  type NameServerOptions,
  type NamesProcessOptions,
  type Sandbox,
  type SandboxState,
  openNamesProcess,
} from './server/index.js';
export { type Upstream, isLoopback, parseUpstream, parseUpstreams } from './upstream.js';
