import test from 'ava';
import type { Facts, HostFacts } from '../../chaos/facts.js';
import { judge, judgeWords } from '../../chaos/judge.js';
import { judgeNames, readAnswers } from '../../chaos/names.js';
import { judgeProbes, type ProbeResult } from '../../chaos/probes.js';

const network = {
  id: 'a'.repeat(12),
  name: 'net1',
  vni: 4096,
  pools: [{ id: '10.192.0.0-20', prefix: '10.192.0.0/20' }],
};

const endpointId = (n: number): string => String(n).repeat(64);
const address = (n: number): string => `10.192.0.${n}`;
const mac = (n: number): string => `02:42:0a:c0:00:0${n}`;
const vtep = (n: number): string => `198.18.1.${n}`;

function hostFacts(n: number, other: number): HostFacts {
  return {
    name: `h${n}`,
    docker: {
      networks: ['net1'],
      containers: [
        {
          name: `c${n}`,
          networks: [{ name: 'net1', endpointId: endpointId(n), address: address(n), mac: mac(n) }],
        },
      ],
    },
    kernel: {
      networks: [
        {
          id: network.id,
          links: [
            { name: 'br0', isUp: true },
            { name: 'vxlan0', isUp: true, vni: 4096, master: 'br0' },
            { name: `port${endpointId(n).slice(0, 11)}`, isUp: true, master: 'br0' },
          ],
          rows: [`00:00:00:00:00:00 ${vtep(other)}`, `${mac(other)} ${vtep(other)}`],
          forwarding: [`${mac(other)} vxlan0`, `${mac(n)} port${endpointId(n).slice(0, 11)}`],
          neighbors: [1, 2].map((each) => `${address(each)} ${mac(each)}`),
          hasSenderFilter: true,
        },
      ],
      strayLinks: [],
      guardVteps: [vtep(other)],
    },
    daemon: { pid: 1, descriptors: 40, residentBytes: 90e6, degraded: [] },
  };
}

function probe(n: number, other: number): ProbeResult {
  return {
    name: `c${n}`,
    at: 10,
    born: 1,
    round: 1,
    addresses: [address(n), '172.18.0.2'],
    sent: 1,
    answered: 1,
    reach: { [address(n)]: `c${n}`, [address(other)]: `c${other}` },
    met: { [`c${other}`]: 1 },
  };
}

/** Two hosts with a container each, and nothing wrong. */
const right: Facts = {
  round: 1,
  store: {
    hosts: [1, 2].map((n) => ({ id: `id${n}`, name: `h${n}`, vtep: vtep(n) })),
    networks: [network],
    endpoints: [1, 2].map((n) => ({
      network: network.id,
      host: `id${n}`,
      endpoints: [{ id: endpointId(n), mac: mac(n), addresses: [`${address(n)}/20`] }],
    })),
    blocks: [{ pool: '10.192.0.0-20', taken: [address(1), address(2), '10.192.0.9'] }],
    keys: [`networks/${network.id}`, 'vnis/4096', 'names/net1', `pools/10.192.0.0-20`],
    setAside: { '10.192.0.0-20': ['10.192.0.9'] },
  },
  hosts: [hostFacts(1, 2), hostFacts(2, 1)],
  probes: [probe(1, 2), probe(2, 1)],
};

test('judge > says nothing when all agree', (t) => {
  t.deepEqual(judge(right), []);
});

type Draft = {
  -readonly [K in keyof Facts]: Facts[K];
};
/** Anything in a copy of the facts may be changed. */
// oxlint-disable-next-line typescript/no-explicit-any
type Loose = any;

const wrongs: readonly {
  readonly name: string;
  readonly by: (f: Loose) => void;
  readonly says: RegExp;
}[] = [
  {
    name: 'a VNI twice',
    by: (f) => f.store.networks.push({ ...network, id: 'b'.repeat(12), name: 'x' }),
    says: /VNI 4096 is there twice/,
  },
  {
    name: 'a name twice',
    by: (f) => f.store.networks.push({ ...network, id: 'b'.repeat(12), vni: 2 }),
    says: /network name net1 is there twice/,
  },
  {
    name: 'an address twice',
    by: (f) => (f.store.endpoints[1].endpoints[0].addresses = [`${address(1)}/20`]),
    says: /address 10\.192\.0\.1 is there twice/,
  },
  {
    name: 'a leaked address',
    by: (f) => f.store.blocks[0].taken.push('10.192.0.77'),
    says: /10\.192\.0\.77 is taken and nobody's/,
  },
  {
    name: 'an address not taken',
    by: (f) => f.store.blocks[0].taken.splice(0, 1),
    says: /10\.192\.0\.1 is in use and not taken/,
  },
  {
    name: 'a left-over key',
    by: (f) => f.store.keys.push('vnis/99'),
    says: /key vnis\/99 belongs to no network/,
  },
  {
    name: 'a host not announced',
    by: (f) => f.store.hosts.splice(1, 1),
    says: /h2 is announced 0 times/,
  },
  {
    name: 'an endpoint not announced',
    by: (f) => (f.store.endpoints[0].endpoints = []),
    says: /c1 on h1, network net1: not announced/,
  },
  {
    name: 'an endpoint of no container',
    by: (f) => (f.hosts[0].docker.containers = []),
    says: /h1 announces 10\.192\.0\.1\/20 .* which no container has/,
  },
  {
    name: 'a network Docker lost',
    by: (f) => (f.hosts[0].docker.networks = []),
    says: /is on h1 in the store, not in Docker/,
  },
  {
    name: 'a missing namespace',
    by: (f) => (f.hosts[0].kernel.networks = []),
    says: /network net1 has no namespace/,
  },
  {
    name: 'a left-over namespace',
    by: (f) =>
      f.hosts[0].kernel.networks.push({
        ...right.hosts[0]!.kernel.networks[0],
        id: 'c'.repeat(12),
      }),
    says: /namespace of c+ is left over/,
  },
  {
    name: 'a missing row',
    by: (f) => f.hosts[0].kernel.networks[0].rows.pop(),
    says: /rows of network net1 lack 02:42/,
  },
  {
    name: 'a stale row',
    by: (f) => f.hosts[0].kernel.networks[0].rows.push('02:00:00:00:00:01 198.18.1.9'),
    says: /rows of network net1 have .* too many/,
  },
  {
    name: 'a missing neighbor',
    by: (f) => f.hosts[1].kernel.networks[0].neighbors.pop(),
    says: /neighbors of network net1 lack/,
  },
  {
    name: 'a tunnel that is down',
    by: (f) => (f.hosts[1].kernel.networks[0].links[1].isUp = false),
    says: /no tunnel that is up/,
  },
  {
    name: 'another VNI',
    by: (f) => (f.hosts[1].kernel.networks[0].links[1].vni = 7),
    says: /has VNI 7, not 4096/,
  },
  {
    name: 'no filter',
    by: (f) => (f.hosts[1].kernel.networks[0].hasSenderFilter = false),
    says: /no filter of senders/,
  },
  {
    name: 'a stray link',
    by: (f) => f.hosts[0].kernel.strayLinks.push('weft00000000001'),
    says: /link weft00000000001 is in no container/,
  },
  {
    name: 'an unknown host in the guard',
    by: (f) => f.hosts[0].kernel.guardVteps.push('198.18.1.9'),
    says: /known hosts have 198\.18\.1\.9/,
  },
  {
    name: 'descriptors',
    by: (f) => (f.hosts[0].daemon.descriptors = 500),
    says: /500 descriptors/,
  },
  { name: 'memory', by: (f) => (f.hosts[0].daemon.residentBytes = 300e6), says: /uses 300 MB/ },
  {
    name: 'a degraded daemon',
    by: (f) => f.hosts[0].daemon.degraded.push('X: y'),
    says: /degraded: X: y/,
  },
  {
    name: 'no reach',
    by: (f) => (f.probes[0].reach = {}),
    says: /c1 does not reach c2 at 10\.192\.0\.2/,
  },
  {
    name: 'another who answers',
    by: (f) => (f.probes[0].reach[address(2)] = 'c9'),
    says: /c9 answers instead/,
  },
  {
    name: 'reach across networks',
    by: (f) => (f.probes[0].reach['10.192.16.2'] = 'c9'),
    says: /c1 reaches c9 .* shares no network/,
  },
  {
    name: 'an old round',
    by: (f) => (f.probes[0].round = 0),
    says: /prober in c1 does not report/,
  },
];

for (const { name, by, says } of wrongs) {
  test(`judge > objects to ${name}`, (t) => {
    const facts: Draft = structuredClone(right);
    by(facts);
    t.regex(judge(facts).join('\n'), says);
  });
}

test('probes > two that live at once have no address in common; one that came after the other may', (t) => {
  const ever = new Map([
    ['c1', new Set(['net1'])],
    ['c2', new Set(['net1'])],
  ]);
  const one = probe(1, 2);
  const two = { ...probe(2, 1), addresses: [address(1)] };
  t.regex(judgeProbes([one, two], ever).join(), /10\.192\.0\.1 is on c1 and on c2 at once/);
  t.deepEqual(
    judgeProbes(
      [
        { ...one, at: 4 },
        { ...two, born: 5 },
      ],
      ever,
    ),
    [],
  );
});

test('probes > an answer from a container of other networks is a leak', (t) => {
  const ever = new Map([
    ['c1', new Set(['net1'])],
    ['c2', new Set(['net2'])],
  ]);
  t.regex(judgeProbes([probe(1, 2)], ever).join(), /c1 was answered by c2/);
});

const words = [
  ['', true],
  ['Error: NetworkDriver.Join: undefined', true],
  ['Error: IpamDriver.RequestAddress: EOF', true],
  ['Error: IpamDriver.RequestAddress: POOL_FULL: pool 10.0.0.0/28 is full', false],
  ['Cannot connect to the Docker daemon at unix:///run/docker.sock. Is it running?', false],
] as const;

for (const [said, objects] of words) {
  test(`judge > ${objects ? 'objects to' : 'takes'} the words "${said}"`, (t) => {
    t.is(judgeWords(said) !== undefined, objects);
  });
}

test('judge > a name is what its living container has, for who shares a network with it', (t) => {
  const hosts = [hostFacts(1, 2), hostFacts(2, 1)];
  const told = (answers: Record<string, string[]>) => [
    { asker: 'c1', answers: new Map(Object.entries(answers)) },
  ];
  t.deepEqual(judgeNames(hosts, told({ c2: [address(2)], gone: [] })), []);
  t.is(judgeNames(hosts, told({ gone: [address(7)] })).length, 1, 'a dead one');
  t.is(judgeNames(hosts, told({ c2: [address(2), address(7)] })).length, 1, 'one too many');
  t.is(judgeNames(hosts, told({ c2: [] })).length, 1, 'one that lives and is not known');
});

test("judge > what a container's nslookup printed is read by name", (t) => {
  const server = 'Server:\t\t127.0.0.11\nAddress:\t127.0.0.11:53\n';
  const text = [
    `== c1\n${server}\nName:\tc1.weft\nAddress: 10.192.0.2\nName:\tc1.weft\nAddress: 10.192.0.3\n`,
    `== gone\n${server}\n** server can't find gone.weft: NXDOMAIN\n`,
  ].join('\n');
  t.deepEqual(
    [...readAnswers(text)],
    [
      ['c1', ['10.192.0.2', '10.192.0.3']],
      ['gone', []],
    ],
  );
});
