/**
 * Names of containers and hosts, and the answers that they make.
 *
 * Promises: pure but for the order of answers, which turns; a question costs the same whatever the number of names. Does not:
 * know messages on the wire, Docker, the store, or whom a question came from but for its networks.
 */
export type { NamedEndpoint, NamedHost, Service, Share, ZoneOptions } from './types.js';
export { DOMAIN, type Question, Zone } from './zone.js';
