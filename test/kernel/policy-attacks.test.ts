/** What a container with raw sockets may try to get past a policy. Senders' MACs and addresses are vxlan-spoof.test.ts'. */
import test from 'ava';
import { type Address, parseAddress } from '../../src/net/index.js';
import type { Endpoint, NetworkPolicies } from '../../src/policy/index.js';
import {
  type Disguise,
  cutAt,
  lastFirst,
  overlapping,
  padded,
  sourceRouted,
} from '../helpers/disguises.js';
import { type Packet, PolicyLab } from '../helpers/policy-lab.js';
import { policy } from '../unit/policy/cluster.js';

const endpoints = ['client', 'server'].map((name, i): Endpoint => ({
  id: name,
  host: 'here',
  addresses: [parseAddress(`10.0.0.${i + 1}`), parseAddress(`fd00::${i + 1}`)],
  facts: { name, labels: new Map() },
}));
const [client, server] = endpoints as [Endpoint, Endpoint];

/** The server takes TCP on port 80, and UDP on port 53. */
const network: NetworkPolicies = {
  default: 'open',
  policies: [
    policy(
      'server',
      { names: ['server'] },
      {
        ingress: [
          {
            action: 'allow',
            ports: [
              { protocol: 'tcp', ports: { first: 80, last: 80 } },
              { protocol: 'udp', ports: { first: 53, last: 53 } },
            ],
          },
        ],
      },
    ),
  ],
  endpoints,
};

/** RFC 8200 4.5: a first fragment without the whole TCP header is dropped. */
const hasHeader = ({ source, protocol }: Packet): boolean =>
  !(source.includes(':') && protocol === 'tcp');

const disguises: readonly (readonly [
  title: string,
  as: Disguise,
  passes: (packet: Packet) => boolean,
])[] = [
  ['as it is', (frame) => [frame], () => true],
  ['cut behind the ports', cutAt(8), hasHeader],
  ['cut behind the ports, the last piece first', lastFirst(cutAt(8)), hasHeader],
  ['with options or extension headers', padded, () => true],
];

const packets = [0, 1].flatMap((family): Packet[] => {
  const [source, destination] = [client.addresses[family]!, server.addresses[family]!] as [
    Address,
    Address,
  ];
  return [
    { source, destination, protocol: 'tcp', port: 80 },
    { source, destination, protocol: 'tcp', port: 81 },
    { source, destination, protocol: 'udp', port: 53 },
    { source, destination, protocol: 'udp', port: 54 },
  ];
});
const isAllowed = (packet: Packet): boolean => 'port' in packet && [80, 53].includes(packet.port);

for (const [title, as, passes] of disguises) {
  test(`attacks > a packet ${title} meets the fate of its ports`, async (t) => {
    const lab = await PolicyLab.open(t, endpoints);
    await lab.apply(network, 'here');
    t.deepEqual(
      lab.probeAs(packets.map((packet) => ({ packet, as }))),
      packets.map((packet) => passes(packet) && isAllowed(packet)),
    );
  });
}

for (const [title, as] of [
  ['that its sender routes', sourceRouted],
  ['in pieces that overlap, one with a port that is allowed', overlapping(80)],
] as const) {
  test(`attacks > a packet ${title} gets nowhere that it would not get without`, async (t) => {
    const lab = await PolicyLab.open(t, endpoints);
    await lab.apply(network, 'here');
    const denied = packets.filter((packet) => !isAllowed(packet));
    const arrived = lab.probeAs(denied.map((packet) => ({ packet, as })));
    t.deepEqual(
      arrived,
      denied.map(() => false),
    );
  });
}

test('attacks > a flood of connections that are denied leaves no connection behind', async (t) => {
  const lab = await PolicyLab.open(t, endpoints);
  await lab.apply(network, 'here');
  const [source, destination] = [client.addresses[0]!, server.addresses[0]!];
  const flood = Array.from({ length: 2000 }, (_, i): Packet => {
    return { source, destination, protocol: 'tcp', port: 81, sourcePort: 10_000 + i };
  });
  t.false(lab.probe(flood).includes(true));
  t.is(lab.connections(), 0);
  t.deepEqual(lab.probe([{ source, destination, protocol: 'tcp', port: 80 }]), [true]);
  t.is(lab.connections(), 1);
});
