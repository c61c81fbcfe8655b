/** What a change of policies changes for the containers there are. */
import type { Address } from '../net/index.js';
import { cellsOf } from './cells.js';
import { type Decision, decide } from './decide.js';
import { selects } from './match.js';
import type { Endpoint, Flow, FlowProtocol, NetworkPolicies, Policy } from './model.js';
import { Numbers } from './numbers.js';
import { Peers } from './peers.js';

export interface FlowDifference {
  readonly from: Endpoint;
  readonly to: Endpoint;
  readonly flow: Flow;
  readonly before: Decision;
  readonly after: Decision;
}

/**
 * The flows between two containers that one of two sets of policies allows and the other does not: one flow for all that no rule of
 * either tells apart. Yields undefined between two pairs, so that who asks can let others have their turn, or stop.
 */
export function* flowDifferences(
  before: NetworkPolicies,
  after: NetworkPolicies,
): Generator<FlowDifference | undefined, void> {
  const changed = differing(before.policies, after.policies);
  const isTouched = (endpoint: Endpoint): boolean =>
    endpoint.addresses.some((address) =>
      changed.some((policy) => selects(policy.endpoints, { address, endpoint })),
    );
  const wasOpen = before.policies.length === 0 || after.policies.length === 0;
  const touched = new Set(after.endpoints.filter((each) => wasOpen || isTouched(each)));
  const protocols = protocolsOf(before, after);
  for (const from of after.endpoints) {
    for (const to of after.endpoints) {
      if (from === to || !(touched.has(from) || touched.has(to))) continue;
      yield undefined;
      for (const flow of flowsBetween(from, to, protocols)) {
        const [was, is] = [decide(before, flow), decide(after, flow)];
        if (was.verdict !== is.verdict) yield { from, to, flow, before: was, after: is };
      }
    }
  }
}

/** Policies that only one of them has. */
function differing(before: readonly Policy[], after: readonly Policy[]): Policy[] {
  const textsOf = (policies: readonly Policy[]) =>
    new Map(policies.map((policy) => [JSON.stringify(policy), policy]));
  const [was, is] = [textsOf(before), textsOf(after)];
  return [...was, ...is].flatMap(([text, policy]) =>
    was.has(text) && is.has(text) ? [] : [policy],
  );
}

/** One of each sort of flows that rules tell apart. */
function protocolsOf(...networks: readonly NetworkPolicies[]): FlowProtocol[] {
  const policies = networks.flatMap((network) => network.policies);
  const rules = policies.flatMap(({ ingress = [], egress = [] }) => [...ingress, ...egress]);
  const matches = rules.flatMap(({ ports = [] }) => ports);
  const numbers = new Numbers();
  const peers = new Peers(numbers);
  const named = networks.flatMap(({ endpoints }) => {
    peers.update({ policies, endpoints });
    return [...peers.named];
  });
  return cellsOf(matches, new Set(named), numbers).cells.map(({ example }) => example);
}

function flowsBetween(from: Endpoint, to: Endpoint, protocols: readonly FlowProtocol[]): Flow[] {
  const isV6 = (address: Address): boolean => address.includes(':');
  return from.addresses.flatMap((source) => {
    const destination = to.addresses.find((address) => isV6(address) === isV6(source));
    if (destination === undefined) return [];
    const other = isV6(source) ? 'icmp' : 'icmpv6';
    return protocols
      .filter(({ protocol }) => protocol !== other)
      .map((protocol) => ({ source, destination, ...protocol }));
  });
}
