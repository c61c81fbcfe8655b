import type {
  AppliedPolicies,
  ApplyPolicies,
  EnforcedPolicies,
  EnforcedQuery,
  Explain,
  Explanation,
  PolicyLogEntry,
  PolicySummary,
  TestPolicies,
  TestedPolicies,
} from './policy-schema.js';
import type { Endpoint, Event, EventLoop, Host, Network, NewNetwork, Status } from './schema.js';

type Soon<T> = T | Promise<T>;

/**
 * What the control API tells, as the daemon knows it now. Each answers within 4 s, from memory where it can: an operator asks
 * exactly when the store or Docker does not answer. What is not known then is null. Lists may be in any order; ids are unique in each.
 */
export interface Source {
  status(): Soon<Status>;
  networks(): Soon<readonly Network[]>;
  endpoints(): Soon<readonly Endpoint[]>;
  /** What happened after the event with this id, oldest first; waits this long when nothing did. */
  events(after: number, waitMs: number): Soon<readonly Event[]>;
  /** Measures from the first call on, for as long as somebody asks again within a minute. */
  eventLoop(): Soon<EventLoop>;
  /** All hosts that the store knows, this one among them. */
  hosts(): Soon<readonly Host[]>;
  /** Makes a network on this host, and so on every host. Asks Docker and the store. */
  createNetwork(wanted: NewNetwork): Promise<Network>;
  /** Removes a network that nobody uses from every host, by name or id. Asks the store. */
  removeNetwork(nameOrId: string): Promise<void>;
  /** Takes a host that is away out of the cluster, by name or id; done when what it had is free. Asks the store. */
  removeHost(nameOrId: string): Promise<void>;
  /** What operators ask of policies. */
  readonly policies: PolicySource;
}

export interface PolicySource {
  list(): Soon<readonly PolicySummary[]>;
  /** Adds and replaces policies, all in one step; or says what that would change. Asks the store. */
  apply(wanted: ApplyPolicies, signal: AbortSignal): Promise<AppliedPolicies>;
  /** Removes one; answers the version without it. Asks the store. */
  remove(name: string, signal: AbortSignal): Promise<number>;
  /** Which hosts enforce a version. Asks the store, and waits for hosts if told so. */
  enforced(query: EnforcedQuery, signal: AbortSignal): Promise<EnforcedPolicies>;
  /** What becomes of a flow on the networks of this host. */
  explain(question: Explain): Soon<Explanation>;
  /** Whether flows meet the fate that is expected, now or as if policies were applied. */
  test(wanted: TestPolicies): Soon<TestedPolicies>;
  /** Packets that were denied or logged on this host after the one with this id, oldest first; waits this long when none was. */
  log(after: number, waitMs: number): Soon<readonly PolicyLogEntry[]>;
}
