import type { Address, Prefix } from '../net/index.js';

export type Direction = 'ingress' | 'egress';

/** `operator` is judged before `owner`, and what it decides is final. */
export type Tier = 'operator' | 'owner';

/** What holds for an endpoint that no owner's policy selects. */
export type NetworkDefault = 'open' | 'isolated';

/** One demand on a label. `not-in` also holds for an endpoint without the label. */
export type Requirement =
  | { readonly key: string; readonly op: 'in' | 'not-in'; readonly values: readonly string[] }
  | { readonly key: string; readonly op: 'exists' | 'absent' };

/** Addresses within `prefix` that are in none of `except`. */
export interface AddressBlock {
  readonly prefix: Prefix;
  readonly except: readonly Prefix[];
}

/**
 * Selects those for whom everything given holds; an empty one selects every endpoint of the network, and nobody outside.
 *
 * A selector of nothing but `blocks` also selects addresses that are no endpoint's.
 */
export interface Selector {
  /** All must hold. */
  readonly labels?: readonly Requirement[];
  /** Names of containers, any of them; `*` stands for any characters and `?` for one. */
  readonly names?: readonly string[];
  /** Compose project and service, as Compose labels its containers. */
  readonly project?: string;
  readonly service?: string;
  /** Names of hosts, any of them. */
  readonly hosts?: readonly string[];
  /** Any of them. */
  readonly blocks?: readonly AddressBlock[];
}

/** `port` may be a name, which the receiving container's label `weft.port.NAME=PORT/PROTOCOL` resolves. */
export type PortMatch =
  | {
      readonly protocol: 'tcp' | 'udp' | 'sctp';
      /** Absent: every port. */
      readonly ports?:
        | { readonly first: number; readonly last: number }
        | { readonly name: string };
    }
  | {
      readonly protocol: 'icmp' | 'icmpv6';
      /** Absent: every type. */ readonly types?: readonly number[];
    };

export interface Rule {
  /** `log` decides nothing: it marks the flow. */
  readonly action: 'allow' | 'deny' | 'log';
  /** The other side, any of them; absent: everybody, outside too. */
  readonly peers?: readonly Selector[];
  /** Any of them; absent: every protocol. */
  readonly ports?: readonly PortMatch[];
  /** For people. */
  readonly comment?: string;
}

/** A direction that is absent is none of this policy's business; one without rules selects and allows nothing. */
export interface Policy {
  /** Unique in the cluster. */
  readonly name: string;
  readonly tier: Tier;
  /** Whom the policy is about. */
  readonly endpoints: Selector;
  readonly ingress?: readonly Rule[];
  readonly egress?: readonly Rule[];
  /** For people. */
  readonly comment?: string;
}

/** What Docker says about a container; known only once it has been asked. */
export interface EndpointFacts {
  readonly name: string;
  readonly labels: ReadonlyMap<string, string>;
}

export interface Endpoint {
  readonly id: string;
  readonly host: string;
  /** No two endpoints of a network share one. */
  readonly addresses: readonly Address[];
  /** Absent while unknown. */
  readonly facts?: EndpointFacts;
}

/** All that decides about flows of one network. */
export interface NetworkPolicies {
  readonly default: NetworkDefault;
  readonly policies: readonly Policy[];
  readonly endpoints: readonly Endpoint[];
}

export type FlowProtocol =
  | { readonly protocol: 'tcp' | 'udp' | 'sctp'; readonly port: number }
  | { readonly protocol: 'icmp' | 'icmpv6'; readonly type: number }
  /** Any other: its number in the IP header. */
  | { readonly protocol: number };

/** The first packet of a flow between two unicast addresses. Replies are not flows: they pass when the flow does. */
export type Flow = FlowProtocol & { readonly source: Address; readonly destination: Address };
