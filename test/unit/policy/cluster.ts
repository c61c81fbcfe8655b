import { type Address, parseAddress, parsePrefix } from '../../../src/net/index.js';
import type {
  AddressBlock,
  Endpoint,
  Flow,
  NetworkPolicies,
  Policy,
  Selector,
} from '../../../src/policy/index.js';

/** Nine containers, a, b and c of the projects x, y and z, as Kubernetes' truth table has them; x-a is 10.0.0.11. */
export const containers = ['x', 'y', 'z'].flatMap((project, i) =>
  ['a', 'b', 'c'].map((service, j) => ({ project, service, address: `10.0.${i}.${11 + j}` })),
);

export type Container = (typeof containers)[number];

export function endpointOf(
  { project, service, address }: Container,
  more: Readonly<Record<string, string>> = {},
): Endpoint {
  const labels = {
    'com.docker.compose.project': project,
    'com.docker.compose.service': service,
    'weft.port.serve-80': '80/tcp',
    'weft.port.serve-81': '81/udp',
    pod: service,
    ...more,
  };
  return {
    id: `${project}-${service}`,
    host: `host-${project}`,
    addresses: [parseAddress(address)],
    facts: { name: `${project}-${service}-1`, labels: new Map(Object.entries(labels)) },
  };
}

export function policy(name: string, endpoints: Selector, rest: Partial<Policy>): Policy {
  return { name, tier: 'owner', endpoints, ...rest };
}

export function networkOf(...policies: readonly Policy[]): NetworkPolicies {
  return { default: 'open', policies, endpoints: containers.map((each) => endpointOf(each)) };
}

export function block(prefix: string, ...except: readonly string[]): AddressBlock {
  return { prefix: parsePrefix(prefix), except: except.map(parsePrefix) };
}

/** A flow to `port` between two addresses. */
export function flow(
  source: string,
  destination: string,
  port: number,
  protocol: 'tcp' | 'udp' | 'sctp' = 'tcp',
): Flow {
  const [from, to] = [source, destination].map(parseAddress) as [Address, Address];
  return { source: from, destination: to, protocol, port };
}
