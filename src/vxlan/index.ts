/**
 * This host's data path: desired state, observed state, the steps between.
 *
 * Promises: what types.ts says. Does not: read the store, or know Docker.
 */
export type {
  Datapath,
  LocalEndpoint,
  NetworkSpec,
  Peer,
  Remote,
  RoundReport,
  Underlay,
} from './types.js';
