/** A network of the size that is promised: so many rules over so many containers, some of them here. */
import { addressFromBigInt } from '../../src/net/index.js';
import type { Endpoint, Policy, Rule } from '../../src/policy/index.js';

export const HERE = 'here';
const FIRST = 0x0a53_0000n;
/** A policy's rules, as a person would still read them. */
const RULES_A_POLICY = 200;
/** What the rules ask of peers. */
const GROUPS = 500;

export const groupOf = (i: number): string => `g${i % GROUPS}`;

/** Container number i; one of each hundred or so is here, of all tiers. */
export function endpointOf(i: number, group = groupOf(i)): Endpoint {
  const labels = { group, tier: `t${i % 50}` };
  return {
    id: `e${i}`,
    host: i % 101 === 0 ? HERE : `host-${i % 101}`,
    addresses: [addressFromBigInt(4, FIRST + BigInt(i) + 2n)],
    facts: { name: `c${i}`, labels: new Map(Object.entries(labels)) },
  };
}

export const endpointsOf = (count: number): Endpoint[] =>
  Array.from({ length: count }, (_, i) => endpointOf(i));

const select = (key: string, value: string) =>
  ({ labels: [{ key, op: 'in', values: [value] }] }) as const;

/** Each says from which groups containers of a tier may be reached, on a port for each rule. */
export function policyOf(i: number, rules: number, turn = 0): Policy {
  return {
    name: `p${i}`,
    tier: 'owner',
    endpoints: select('tier', `t${i % 50}`),
    ingress: Array.from({ length: rules }, (_, j): Rule => {
      const port = 1000 + ((i * 7 + j) % 100);
      return {
        action: 'allow',
        peers: [select('group', groupOf(i * 31 + j * 3 + turn))],
        ports: [{ protocol: 'tcp', ports: { first: port, last: port } }],
      };
    }),
  };
}

export function policiesOf(rules: number): Policy[] {
  const count = Math.ceil(rules / RULES_A_POLICY);
  return Array.from({ length: count }, (_, i) =>
    policyOf(i, Math.min(RULES_A_POLICY, rules - i * RULES_A_POLICY)),
  );
}
