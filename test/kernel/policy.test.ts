import { setTimeout as delay } from 'node:timers/promises';
import test from 'ava';
import { type Address, parseAddress } from '../../src/net/index.js';
import {
  type Endpoint,
  type FlowProtocol,
  type NetworkPolicies,
  type Policy,
  type Rule,
  decide,
  readFlow,
} from '../../src/policy/index.js';
import { until } from '../helpers/vxlan-lab.js';
import { type Packet, PolicyLab } from '../helpers/policy-lab.js';
import { block, containers, endpointOf, policy } from '../unit/policy/cluster.js';

/** Nine containers, each with an address of either family, on three hosts. */
const endpoints: readonly Endpoint[] = containers.map((container, i) => {
  const endpoint = endpointOf(container);
  return { ...endpoint, addresses: [...endpoint.addresses, parseAddress(`fd00::${i + 1}`)] };
});
const onOneHost = endpoints.map((each): Endpoint => ({ ...each, host: 'host-x' }));

const protocols: readonly FlowProtocol[] = [
  { protocol: 'tcp', port: 80 },
  { protocol: 'tcp', port: 81 },
  { protocol: 'tcp', port: 8005 },
  { protocol: 'udp', port: 80 },
  { protocol: 'udp', port: 81 },
  { protocol: 'sctp', port: 80 },
];
const echoes = [
  { protocol: 'icmp', type: 8 },
  { protocol: 'icmpv6', type: 128 },
] as const;

/** Every pair of two, in both families. Without ports, what is sent the other way would be an answer: so it is of another protocol. */
const packets: readonly Packet[] = endpoints.flatMap((from) =>
  endpoints.flatMap((to) =>
    from === to
      ? []
      : [0, 1].flatMap((family) => {
          const [source, destination] = [from.addresses[family]!, to.addresses[family]!];
          const other = { protocol: from.id < to.id ? 253 : 254 };
          return [...protocols, echoes[family]!, other].map((each) => ({
            source,
            destination,
            ...each,
          }));
        }),
  ),
);

const network = (policies: readonly Policy[], rest: Partial<NetworkPolicies> = {}) =>
  ({ default: 'open', policies, endpoints: onOneHost, ...rest }) as const satisfies NetworkPolicies;

/** What one host lets pass: the sides that are its own must allow. */
function passes(
  { policies, endpoints: all, ...rest }: NetworkPolicies,
  packet: Packet,
  host: string,
) {
  const { egress, ingress } = decide({ policies, endpoints: all, ...rest }, packet);
  const isHere = (address: string) =>
    all.some((each) => each.host === host && each.addresses.some((own) => own === address));
  return (
    (!isHere(packet.source) || egress.verdict === 'allow') &&
    (!isHere(packet.destination) || ingress.verdict === 'allow')
  );
}

const words = ({ source, destination, ...rest }: Packet): string =>
  `${source} to ${destination} ${JSON.stringify(rest)}`;

/** The packets whose fate is not what `decide` says, in words. */
function wrong(lab: PolicyLab, some: NetworkPolicies, host = 'host-x'): string[] {
  const arrived = lab.probe(packets);
  return packets.flatMap((packet, i) =>
    arrived[i] === passes(some, packet, host)
      ? []
      : [`${words(packet)} ${arrived[i] ? 'passed' : 'was dropped'}`],
  );
}

const allow = (rest: Partial<Rule> = {}): Rule => ({ action: 'allow', ...rest });
const deny = (rest: Partial<Rule> = {}): Rule => ({ action: 'deny', ...rest });
const tcp = (first: number, last = first) => ({ protocol: 'tcp', ports: { first, last } }) as const;
const xa = { project: 'x', service: 'a' };

const cases: readonly (readonly [title: string, network: NetworkPolicies])[] = [
  ['nothing is received', network([policy('closed', {}, { ingress: [] })])],
  ['nothing is sent', network([policy('mute', {}, { egress: [] })])],
  ['a network is isolated', network([], { default: 'isolated' })],
  [
    'one receives from a few on one port',
    network([
      policy('db', xa, {
        ingress: [allow({ peers: [{ service: 'b' }, { names: ['z-*'] }], ports: [tcp(80)] })],
      }),
    ]),
  ],
  [
    'ranges overlap, and one port of them is denied',
    network([
      policy(
        'p',
        { project: 'x' },
        {
          ingress: [
            allow({ ports: [tcp(1, 100), tcp(8000, 8010), { protocol: 'udp' }] }),
            deny({ peers: [{ service: 'c' }], ports: [tcp(81, 90)] }),
          ],
          egress: [allow({ ports: [tcp(80)] }), deny({ ports: [tcp(8005)] })],
        },
      ),
    ]),
  ],
  [
    'echoes, SCTP and other protocols have rules of their own',
    network([
      policy(
        'echo',
        { service: 'a' },
        {
          ingress: [
            allow({ ports: [{ protocol: 'icmp', types: [8] }, { protocol: 'icmpv6' }] }),
            allow({ peers: [{ project: 'y' }], ports: [{ protocol: 'sctp' }] }),
            allow({ peers: [{ project: 'z' }] }),
          ],
        },
      ),
    ]),
  ],
  [
    'ports have names on either side',
    network([
      policy('in', xa, {
        ingress: [allow({ ports: [{ protocol: 'tcp', ports: { name: 'serve-80' } }] })],
      }),
      policy(
        'out',
        { project: 'y' },
        {
          egress: [
            allow({ ports: [{ protocol: 'udp', ports: { name: 'serve-81' } }] }),
            allow({ peers: [xa], ports: [{ protocol: 'tcp', ports: { name: 'serve-80' } }] }),
          ],
        },
      ),
    ]),
  ],
  [
    'an operator decides first, and leaves the rest',
    network([
      {
        ...policy(
          'ops',
          {},
          { egress: [deny({ peers: [{ service: 'c' }] }), allow({ peers: [xa] })] },
        ),
        tier: 'operator',
      },
      policy('own', { project: 'x' }, { egress: [], ingress: [allow()] }),
    ]),
  ],
  [
    'blocks with exceptions select containers by either address',
    network([
      policy(
        'p',
        { service: 'b' },
        {
          ingress: [
            allow({ peers: [{ blocks: [block('10.0.0.0/16', '10.0.1.0/24')] }] }),
            deny({ peers: [{ blocks: [block('fd00::4/126')] }] }),
            allow({
              peers: [{ blocks: [block('fd00::/64')], labels: [{ key: 'pod', op: 'exists' }] }],
            }),
          ],
        },
      ),
    ]),
  ],
  [
    'a container is unknown',
    network([policy('p', xa, { ingress: [allow()] })], {
      endpoints: onOneHost.map(({ facts, ...rest }, i) =>
        i !== 4 && facts ? { ...rest, facts } : rest,
      ),
    }),
  ],
];

test('policy > every packet between every two meets the fate that decide says, case after case', async (t) => {
  const lab = await PolicyLab.open(t, endpoints);
  t.deepEqual(wrong(lab, network([])), [], 'no policy');
  for (const [title, some] of cases) {
    t.true(await lab.apply(some, 'host-x'), title);
    t.deepEqual(wrong(lab, some), [], title);
    t.false(await lab.apply(some, 'host-x'), `${title}: there is nothing more to do`);
  }
  await lab.apply(network([]), 'host-x');
  t.deepEqual(wrong(lab, network([])), [], 'no policy any more');
});

test('policy > a host judges its own containers, and lets others be judged by theirs', async (t) => {
  const lab = await PolicyLab.open(t, endpoints);
  for (const [title, some] of cases) {
    const spread = {
      ...some,
      endpoints: some.endpoints.map((each, i) => ({ ...each, host: endpoints[i]!.host })),
    };
    if (title === 'a container is unknown') continue;
    await lab.apply(spread, 'host-y');
    t.deepEqual(wrong(lab, spread, 'host-y'), [], title);
  }
});

test('policy > answers pass where nothing may be sent, and only answers', async (t) => {
  const lab = await PolicyLab.open(t, endpoints);
  const [a, b] = [endpoints[0]!.addresses[0]!, endpoints[1]!.addresses[0]!];
  await lab.apply(network([policy('mute', xa, { egress: [] })]), 'host-x');
  const asks = { source: b, destination: a, protocol: 'tcp', port: 80, sourcePort: 1234 } as const;
  const answers = {
    source: a,
    destination: b,
    protocol: 'tcp',
    port: 1234,
    sourcePort: 80,
  } as const;
  const stray = { ...answers, port: 1235, isAnswer: true };
  t.deepEqual(
    lab.probe([{ ...answers, isAnswer: true }, stray, asks, { ...answers, isAnswer: true }, stray]),
    [false, false, true, true, false],
  );
});

/** What answers a packet, which says what port or number it is sent from. */
function answerTo(packet: Packet): Packet {
  const { source: destination, destination: source, sourcePort = 0 } = packet;
  const ends = { source, destination };
  if ('type' in packet) {
    const { protocol } = packet;
    return { ...ends, protocol, type: protocol === 'icmp' ? 0 : 129, sourcePort };
  }
  if (!('port' in packet)) return { ...ends, protocol: packet.protocol };
  const { protocol, port } = packet;
  return { ...ends, protocol, port: sourcePort, sourcePort: port, isAnswer: true };
}

test('policy > a change holds for connections that exist, whichever way their next packet goes', async (t) => {
  const lab = await PolicyLab.open(t, endpoints);
  const known = cases.filter(([title]) => title !== 'a container is unknown');
  const some = packets.filter(({ protocol }) => protocol !== 'sctp');
  let [kept, cut] = [0, 0];
  for (const [i, [title, before]] of known.entries()) {
    const [next, after] = known[(i + 1) % known.length]!;
    const asked = some.map((each, at): Packet => ({ ...each, sourcePort: 10_000 + i * 2000 + at }));
    const answers = asked.map(answerTo);
    await lab.apply(before, 'host-x');
    const began = lab.probe(asked);
    const wasAnswered = lab.probe(answers.filter((_, at) => began[at]));
    t.true(wasAnswered.every(Boolean), `${title}: what passes is answered`);
    await lab.apply(after, 'host-x');
    const open = asked.flatMap((packet, at) =>
      began[at] ? [{ packet, answer: answers[at]! }] : [],
    );
    for (const round of ['first', 'then']) {
      const arrived = lab.probe(open.map(({ answer }) => answer));
      const found = open.flatMap(({ packet }, at) => {
        const expected = passes(after, packet, 'host-x');
        if (expected) kept += 1;
        else cut += 1;
        if (arrived[at] === expected) return [];
        return [`${words(packet)}: its answer ${arrived[at] ? 'passed' : 'was dropped'}`];
      });
      t.deepEqual(found, [], `${title}, then ${next}: ${round}`);
    }
  }
  t.log(`${kept} went on, ${cut} were cut`);
  t.true(kept > 100 && cut > 100);
});

test('policy > what goes to nobody that is known is dropped, whatever the MAC: groups too', async (t) => {
  const lab = await PolicyLab.open(t, endpoints);
  const known = network([policy('p', xa, { ingress: [] })]);
  await lab.apply({ ...known, endpoints: onOneHost.slice(0, 8) }, 'host-x');
  const [free, gone] = [endpoints[1]!.addresses[0]!, endpoints[8]!.addresses[0]!];
  const via = endpoints[2]!.addresses[0]!;
  const udp = { protocol: 'udp', port: 80 } as const;
  t.deepEqual(
    lab.probe([
      { source: free, destination: via, ...udp },
      { source: free, destination: gone, ...udp },
      { source: gone, destination: free, ...udp },
      { source: free, destination: parseAddress('224.0.0.251'), via, ...udp },
      { source: free, destination: parseAddress('255.255.255.255'), via, ...udp },
      { source: free, destination: parseAddress('192.0.2.7'), via, ...udp },
    ]),
    [true, false, false, false, false, false],
  );
});

test('policy > what is denied is told of, and what a rule logs, which goes on', async (t) => {
  const lab = await PolicyLab.open(t, endpoints);
  const audited = policy('audit', xa, {
    ingress: [
      { action: 'log', peers: [{ service: 'b' }], ports: [tcp(80), tcp(81)] },
      allow({ ports: [tcp(80)] }),
      allow({ ports: [{ protocol: 'icmp' }] }),
    ],
  });
  const heard: string[] = [];
  using log = await lab.openLog((packet) => {
    if (packet.type === 'packet') heard.push(`${packet.prefix} ${words(readFlow(packet.octets)!)}`);
  });
  t.truthy(log);
  await lab.apply(network([audited]), 'host-x');
  const [a, b, c] = endpoints.map(({ addresses }) => addresses[0]!) as [Address, Address, Address];
  const to = (source: Address, port: number) =>
    ({ source, destination: a, protocol: 'tcp', port }) as const;
  const sent = [to(b, 80), to(b, 81), to(c, 80), to(c, 81)];
  t.deepEqual(lab.probe(sent), [true, false, true, false]);
  await until('all is heard', () => heard.length >= 4);
  t.deepEqual(heard.toSorted(), [
    `denied ${words(to(b, 81))}`,
    `denied ${words(to(c, 81))}`,
    `logged ${words(to(b, 80))}`,
    `logged ${words(to(b, 81))}`,
  ]);
  const flood = Array.from({ length: 500 }, (_, i): Packet => ({
    ...to(c, 81),
    sourcePort: 1000 + i,
  }));
  lab.probe(flood);
  await delay(300);
  t.true(heard.length > 20 && heard.length < 200, `${heard.length} of 500 were heard`);
});

test('policy > nft prints a ruleset with names, and can read it', async (t) => {
  const lab = await PolicyLab.open(t, endpoints);
  for (const [title, some] of cases) {
    await lab.apply(some, 'host-x');
    const printed = lab.ruleset();
    t.notThrows(() => lab.check(printed), title);
  }
  await lab.apply(cases[3]![1], 'host-x');
  const printed = lab.ruleset();
  t.regex(printed, /10\.0\.0\.11 comment "x-a-1" : jump to-db/);
  t.regex(printed, /chain to-db \{/);
  t.regex(printed, /comment "db ingress rule 1" : return/);
});
