/** Networks with policies, and packets on them, out of a seed. */
import fc from 'fast-check';
import { parseAddress } from '../../src/net/index.js';
import type {
  Endpoint,
  FlowProtocol,
  NetworkPolicies,
  Policy,
  PortMatch,
  Rule,
  Selector,
} from '../../src/policy/index.js';
import { block } from '../unit/policy/cluster.js';

/** Small, so that rules and packets meet. */
const VALUES = ['a', 'b', 'c'] as const;
const HOSTS = ['here', 'there'] as const;
/** The host whose table is tried. */
export const HERE = 'here';
const COUNT = 8;

export const addressesOf = (i: number) =>
  [`10.0.${i % 2}.${i + 1}`, `fd00::${i + 1}`].map(parseAddress);

const value = fc.constantFrom(...VALUES);
const values = fc.uniqueArray(value, { minLength: 1, maxLength: 2 });
const key = fc.constantFrom('app', 'tier');

const endpoint = fc.record({
  host: fc.constantFrom(...HOSTS, HERE),
  isKnown: fc.integer({ max: 9, min: 0 }).map((n) => n > 0),
  name: fc.tuple(value, value).map((parts) => parts.join('-')),
  labels: fc.dictionary(fc.constantFrom('app', 'tier', 'com.docker.compose.service'), value),
  http: fc.option(fc.constantFrom('80/tcp', '81/tcp', '81/udp', '080/tcp', 'x'), {
    nil: undefined,
  }),
});

const endpoints = fc.array(endpoint, { minLength: COUNT, maxLength: COUNT }).map((all) =>
  all.map(({ host, isKnown, name, labels, http }, i): Endpoint => {
    const entries: [string, string][] = Object.entries(labels);
    if (http !== undefined) entries.push(['weft.port.http', http]);
    const facts = { name, labels: new Map(entries) };
    return { id: `e${i}`, host, addresses: addressesOf(i), ...(isKnown && { facts }) };
  }),
);

const requirement = fc.oneof(
  fc.record({ key, op: fc.constantFrom('in' as const, 'not-in' as const), values }),
  fc.record({ key, op: fc.constantFrom('exists' as const, 'absent' as const) }),
);

const selector: fc.Arbitrary<Selector> = fc.oneof(
  fc.constant({}),
  fc.record({ labels: fc.array(requirement, { minLength: 1, maxLength: 2 }) }),
  fc.record({ service: value }),
  fc.record({ names: fc.constantFrom(['a-*'], ['?-b', 'c-c']) }),
  fc.record({ hosts: fc.constantFrom(['here'], ['there']) }),
  fc.record({
    blocks: fc.constantFrom(
      [block('10.0.0.0/24')],
      [block('10.0.0.0/16', '10.0.1.0/24', '10.0.0.1/32')],
      [block('fd00::/125'), block('10.0.1.2/32')],
      [block('0.0.0.0/0'), block('::/0', 'fd00::4/126')],
    ),
  }),
);

const NUMBERS = [1, 79, 80, 81, 90, 100, 300, 65_535] as const;
const ports = fc.oneof(
  fc
    .tuple(fc.constantFrom(...NUMBERS), fc.constantFrom(...NUMBERS))
    .map(([a, b]) => ({ first: Math.min(a, b), last: Math.max(a, b) })),
  fc.constant({ name: 'http' }),
);
const transport = fc.constantFrom('tcp' as const, 'udp' as const, 'sctp' as const);
const portMatch: fc.Arbitrary<PortMatch> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ protocol: transport, ports }, { requiredKeys: ['protocol'] }),
  },
  {
    weight: 1,
    arbitrary: fc.record(
      {
        protocol: fc.constantFrom('icmp' as const, 'icmpv6' as const),
        types: fc.constant([8, 128]),
      },
      { requiredKeys: ['protocol'] },
    ),
  },
);

const rule: fc.Arbitrary<Rule> = fc.record(
  {
    action: fc.constantFrom('allow' as const, 'allow' as const, 'deny' as const, 'log' as const),
    peers: fc.array(selector, { minLength: 1, maxLength: 2 }),
    ports: fc.array(portMatch, { minLength: 1, maxLength: 3 }),
  },
  { requiredKeys: ['action'] },
);
const rules = fc.array(rule, { maxLength: 4 });

const policies: fc.Arbitrary<Policy[]> = fc.uniqueArray(
  fc.record(
    {
      name: fc.constantFrom('p', 'q', 'r', 's', 't'),
      tier: fc.constantFrom('owner' as const, 'owner' as const, 'operator' as const),
      endpoints: selector,
      ingress: rules,
      egress: rules,
    },
    { requiredKeys: ['name', 'tier', 'endpoints'] },
  ),
  { selector: ({ name }) => name, maxLength: 5 },
);

/** Any network. */
export const network: fc.Arbitrary<NetworkPolicies> = fc.record({
  default: fc.constantFrom('open' as const, 'open' as const, 'isolated' as const),
  policies,
  endpoints,
});

/** How networks follow one another, counted from 0: `ROUNDS_OF_ONE` in a row have what has not changed as the same objects. */
const ROUNDS_OF_ONE = 3;

/**
 * The network of a round of a seed: another altogether; then that with other policies; then that with another container in
 * place of one. So changes of each kind are tried by themselves, and each round can be had without those before.
 */
export function networksOf(seed: number): (round: number) => NetworkPolicies {
  let known: { readonly at: number; readonly networks: readonly NetworkPolicies[] } | undefined;
  return (round) => {
    const at = Math.floor(round / ROUNDS_OF_ONE);
    if (known?.at !== at) known = { at, networks: threeNetworks(seed * 100_003 + at) };
    return known.networks[round % ROUNDS_OF_ONE]!;
  };
}

function threeNetworks(seed: number): NetworkPolicies[] {
  const [first, other] = fc.sample(network, { seed, numRuns: 2 }) as [
    NetworkPolicies,
    NetworkPolicies,
  ];
  const second: NetworkPolicies = { ...other, endpoints: first.endpoints };
  const who = Math.abs(seed) % COUNT;
  return [
    first,
    second,
    { ...second, endpoints: first.endpoints.with(who, other.endpoints[who]!) },
  ];
}

/** Of every kind that rules tell apart, with ports at the borders of ranges and beside them. */
const protocols: readonly FlowProtocol[] = [
  ...[1, 79, 80, 81, 82, 100, 101, 300, 301].map((port) => ({ protocol: 'tcp', port }) as const),
  ...[80, 81, 100].map((port) => ({ protocol: 'udp', port }) as const),
  ...[80, 99].map((port) => ({ protocol: 'sctp', port }) as const),
];

/** Every pair of two addresses of a family, with every protocol. No packet is the answer to another. */
export const packets = Array.from({ length: COUNT }, (_, from) => from).flatMap((from) =>
  Array.from({ length: COUNT }, (_, to) => to).flatMap((to) =>
    from === to
      ? []
      : [0, 1].flatMap((family) => {
          const [source, destination] = [addressesOf(from)[family]!, addressesOf(to)[family]!];
          const echo = { protocol: 'icmp', type: 8 } as const;
          const echo6 = { protocol: 'icmpv6', type: 128 } as const;
          const other = { protocol: from < to ? 253 : 254 };
          return [...protocols, family === 0 ? echo : echo6, other].map((each) => ({
            source,
            destination,
            sourcePort: 33_333,
            ...each,
          }));
        }),
  ),
);
