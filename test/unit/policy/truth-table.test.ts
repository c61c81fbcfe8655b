import test from 'ava';
import { type NetworkPolicies, decide } from '../../../src/policy/index.js';
import { type Container, block, containers, flow, networkOf, policy } from './cluster.js';

interface Probe {
  readonly from: Container;
  readonly to: Container;
  readonly port: number;
  readonly protocol: 'tcp' | 'udp' | 'sctp';
}

/** All pairs, ports and protocols: 9 x 9 x 2 x 3 probes, of which those to oneself always pass. */
const probes: readonly Probe[] = containers.flatMap((from) =>
  containers.flatMap((to) =>
    [80, 81].flatMap((port) =>
      (['tcp', 'udp', 'sctp'] as const).map((protocol) => ({ from, to, port, protocol })),
    ),
  ),
);

const is = (container: Container, name: string) =>
  `${container.project}-${container.service}` === name;
const xa = { project: 'x', service: 'a' };
const allow = { action: 'allow' } as const;
const deny = { action: 'deny' } as const;
const tcp = (port: number) => ({ protocol: 'tcp', ports: { first: port, last: port } }) as const;
const closed = policy('closed', {}, { ingress: [] });

const cases: readonly (readonly [
  title: string,
  network: NetworkPolicies,
  passes: (probe: Probe) => boolean,
])[] = [
  ['no policy', networkOf(), () => true],
  ['nothing is received', networkOf(closed), () => false],
  ['nothing is sent', networkOf(policy('mute', {}, { egress: [] })), () => false],
  ['an isolated network', { ...networkOf(), default: 'isolated' }, () => false],
  [
    'only the selected are isolated',
    networkOf(policy('p', xa, { ingress: [] })),
    ({ to }) => !is(to, 'x-a'),
  ],
  [
    'peers by label, in a list',
    networkOf(
      policy('p', xa, {
        ingress: [
          { ...allow, peers: [{ labels: [{ key: 'pod', op: 'in', values: ['b', 'c'] }] }] },
        ],
      }),
    ),
    ({ from, to }) => !is(to, 'x-a') || from.service !== 'a',
  ],
  [
    'peers by label, not in a list',
    networkOf(
      policy('p', xa, {
        ingress: [{ ...allow, peers: [{ labels: [{ key: 'pod', op: 'not-in', values: ['b'] }] }] }],
      }),
    ),
    ({ from, to }) => !is(to, 'x-a') || from.service !== 'b',
  ],
  [
    'a label that nobody has is absent, does not exist, and is not in any list',
    networkOf(
      policy('absent', xa, {
        ingress: [
          {
            ...allow,
            peers: [
              {
                labels: [
                  { key: 'no', op: 'absent' },
                  { key: 'no', op: 'not-in', values: ['v'] },
                ],
              },
            ],
          },
        ],
      }),
      policy(
        'exists',
        { project: 'y' },
        {
          ingress: [{ ...allow, peers: [{ labels: [{ key: 'no', op: 'exists' }] }] }],
        },
      ),
    ),
    ({ to }) => to.project !== 'y',
  ],
  [
    'peers of another project only',
    networkOf(
      policy('p', { project: 'x' }, { ingress: [{ ...allow, peers: [{ project: 'y' }] }] }),
    ),
    ({ from, to }) => to.project !== 'x' || from.project === 'y',
  ],
  [
    'peers by both project and service',
    networkOf(
      policy('p', xa, { ingress: [{ ...allow, peers: [{ project: 'y', service: 'b' }] }] }),
    ),
    ({ from, to }) => !is(to, 'x-a') || is(from, 'y-b'),
  ],
  [
    'peers by either project or service',
    networkOf(
      policy('p', xa, { ingress: [{ ...allow, peers: [{ project: 'y' }, { service: 'b' }] }] }),
    ),
    ({ from, to }) => !is(to, 'x-a') || from.project === 'y' || from.service === 'b',
  ],
  [
    'peers by name and by host',
    networkOf(
      policy('p', xa, {
        ingress: [{ ...allow, peers: [{ names: ['y-?-1'], hosts: ['host-y'] }] }],
      }),
    ),
    ({ from, to }) => !is(to, 'x-a') || from.project === 'y',
  ],
  [
    'one port of one protocol',
    networkOf(policy('p', {}, { ingress: [{ ...allow, ports: [tcp(80)] }] })),
    ({ port, protocol }) => port === 80 && protocol === 'tcp',
  ],
  [
    'every port of one protocol, not mistaken for another',
    networkOf(policy('p', {}, { ingress: [{ ...allow, ports: [{ protocol: 'sctp' }] }] })),
    ({ protocol }) => protocol === 'sctp',
  ],
  [
    'a range of ports',
    networkOf(
      policy(
        'p',
        {},
        {
          ingress: [{ ...allow, ports: [{ protocol: 'udp', ports: { first: 81, last: 90 } }] }],
        },
      ),
    ),
    ({ port, protocol }) => port === 81 && protocol === 'udp',
  ],
  [
    'a named port to receive on',
    networkOf(
      policy(
        'p',
        {},
        {
          ingress: [{ ...allow, ports: [{ protocol: 'tcp', ports: { name: 'serve-80' } }] }],
        },
      ),
    ),
    ({ port, protocol }) => port === 80 && protocol === 'tcp',
  ],
  [
    'a named port to send to, which is of its own protocol',
    networkOf(
      policy(
        'p',
        {},
        {
          egress: [
            { ...allow, ports: [{ protocol: 'udp', ports: { name: 'serve-81' } }] },
            { ...allow, ports: [{ protocol: 'tcp', ports: { name: 'serve-81' } }] },
          ],
        },
      ),
    ),
    ({ port, protocol }) => port === 81 && protocol === 'udp',
  ],
  [
    'stacked policies add what they allow',
    networkOf(
      closed,
      policy('p', { service: 'a' }, { ingress: [{ ...allow, ports: [tcp(80)] }] }),
      policy('q', xa, { ingress: [{ ...allow, ports: [tcp(81)] }] }),
    ),
    ({ to, port, protocol }) =>
      protocol === 'tcp' && to.service === 'a' && (port === 80 || to.project === 'x'),
  ],
  [
    'allowing all opens what another policy closed',
    networkOf(closed, policy('open', {}, { ingress: [allow] })),
    () => true,
  ],
  [
    'deny beats allow',
    networkOf(
      policy('open', {}, { ingress: [allow] }),
      policy('not-y', xa, { ingress: [{ ...deny, peers: [{ project: 'y' }] }] }),
    ),
    ({ from, to }) => !is(to, 'x-a') || from.project !== 'y',
  ],
  [
    "the sender's side denies what the receiver's allows",
    networkOf(
      policy('open', {}, { ingress: [allow] }),
      policy('mute', xa, { egress: [{ ...allow, peers: [{ project: 'y' }] }] }),
    ),
    ({ from, to }) => !is(from, 'x-a') || to.project === 'y',
  ],
  [
    'both directions in one policy',
    networkOf(
      policy('p', xa, {
        ingress: [{ ...allow, ports: [tcp(80)] }],
        egress: [{ ...allow, ports: [tcp(80)] }],
      }),
    ),
    ({ from, to, port, protocol }) =>
      (!is(from, 'x-a') && !is(to, 'x-a')) || (port === 80 && protocol === 'tcp'),
  ],
  [
    'directions are independent',
    networkOf(policy('p', xa, { ingress: [allow], egress: [] })),
    ({ from }) => !is(from, 'x-a'),
  ],
  [
    'a block with an exception',
    networkOf(
      policy(
        'p',
        {},
        { egress: [{ ...allow, peers: [{ blocks: [block('10.0.0.0/15', '10.0.1.0/24')] }] }] },
      ),
    ),
    ({ to }) => to.project !== 'y',
  ],
  [
    'what one block excepts another may hold',
    networkOf(
      policy(
        'p',
        {},
        { egress: [{ ...allow, peers: [{ blocks: [block('10.0.0.0/15', '10.0.1.0/24')] }] }] },
      ),
      policy('q', {}, { egress: [{ ...allow, peers: [{ blocks: [block('10.0.1.12/32')] }] }] }),
    ),
    ({ to }) => to.project !== 'y' || to.service === 'b',
  ],
  [
    "an operator's deny beats the owner's allow, and isolates nobody",
    networkOf(
      policy('open', xa, { ingress: [allow] }),
      policy('op', {}, { tier: 'operator', ingress: [{ ...deny, peers: [{ project: 'z' }] }] }),
    ),
    ({ from }) => from.project !== 'z',
  ],
  [
    "an operator's allow beats the owner's deny",
    networkOf(
      policy('none', {}, { ingress: [deny] }),
      policy('op', {}, { tier: 'operator', ingress: [{ ...allow, ports: [tcp(80)] }] }),
    ),
    ({ port, protocol }) => port === 80 && protocol === 'tcp',
  ],
  [
    'a rule that logs decides nothing',
    networkOf(policy('p', xa, { ingress: [{ action: 'log' }] })),
    ({ to }) => !is(to, 'x-a'),
  ],
];

for (const [title, network, passes] of cases) {
  test(`policy > truth table: ${title}`, (t) => {
    for (const probe of probes) {
      const { from, to, port, protocol } = probe;
      const { verdict } = decide(network, flow(from.address, to.address, port, protocol));
      const expected = from === to || passes(probe) ? 'allow' : 'deny';
      if (verdict !== expected) t.fail(`${JSON.stringify(probe)} is ${verdict}, not ${expected}`);
    }
    t.pass();
  });
}
