/**
 * The operators' API on a unix socket, its shapes, and its client.
 *
 * Promises: versioned paths; within a version, shapes only grow; lists come in pages. Does not: know where
 * an answer comes from, or what a change means: the daemon implements {@link Source}.
 */
export { ControlClient, type ControlClientOptions, DEFAULT_CONTROL_SOCKET } from './client.js';
export { ControlError, type ControlDetail } from './errors.js';
export {
  type Endpoint,
  EndpointSchema,
  type Event,
  type EventLoop,
  EventLoopSchema,
  EventSchema,
  type Host,
  HostSchema,
  type Network,
  NetworkSchema,
  type NewNetwork,
  NewNetworkSchema,
  type Page,
  type PageQuery,
  PageQuerySchema,
  type Status,
  StatusSchema,
} from './schema.js';
export type {
  AppliedPolicies,
  ApplyPolicies,
  EnforcedPolicies,
  Explain,
  ExplainedSide,
  Explanation,
  ConnectionsChange,
  EndingConnections,
  FlowChange,
  PolicyFile,
  PolicyLogEntry,
  PolicySummary,
  TestPolicies,
  TestedPolicies,
} from './policy-schema.js';
export { type ControlServerOptions, openControlServer } from './server.js';
export type { PolicySource, Source } from './source.js';
