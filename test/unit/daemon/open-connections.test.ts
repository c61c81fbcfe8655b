import test from 'ava';
import { endingConnections } from '../../../src/daemon/open-connections.js';
import type { NetworkBinding } from '../../../src/driver/index.js';
import { parseAddress, parseVni } from '../../../src/net/index.js';
import type { TrackedConnections } from '../../../src/netlink/index.js';
import { type NetworkPolicies, type Policy, parsePolicies } from '../../../src/policy/index.js';

const binding: NetworkBinding = {
  v: 1,
  dockerId: 'd',
  network: {
    id: '0123456789ab',
    name: 'shop',
    vni: parseVni(5),
    internal: false,
    pools: [],
    createdBy: 'h1',
    createdAt: 't',
  },
};
const endpoints = ['web', 'db'].map((name, i) => ({
  id: name,
  host: 'h1',
  addresses: [parseAddress(`10.0.0.${i + 1}`)],
  facts: { name, labels: new Map<string, string>() },
}));
const networkOf = (...policies: Policy[]): NetworkPolicies => ({
  default: 'open',
  policies,
  endpoints,
});
const policyOf = (text: string): Policy => parsePolicies(text, 'f')[0]!.policy;
const [web, db] = [parseAddress('10.0.0.1'), parseAddress('10.0.0.2')];
const tcp = (port: number) => ({ source: web, destination: db, protocol: 6, port });

const open = policyOf('name: p\nnetworks: [shop]\nendpoints: {}\ningress: [{ action: allow }]\n');
const closed = policyOf(
  'name: p\nnetworks: [shop]\nendpoints: { names: [db] }\ningress: [{ action: allow, ports: [tcp/80] }]\n',
);

async function ending(before: Policy, known: TrackedConnections, forMs = 1000) {
  const change = { binding, before: networkOf(before), after: networkOf(closed) };
  const datapath = { connections: async () => known };
  return endingConnections([change], datapath, performance.now() + forMs);
}

test('open connections > those that end are told by what they have in common, most first', async (t) => {
  const connections = [tcp(80), tcp(22), tcp(5432), tcp(5432), { ...tcp(1), protocol: 47 }];
  const { why } = { why: 'no rule allows it in "p"' };
  const common = { network: 'shop', from: 'web', to: 'db', why };
  t.deepEqual(await ending(open, { count: 5, connections }), {
    ending: [
      { ...common, port: 'tcp/5432', count: 2 },
      { ...common, port: 'tcp/22', count: 1 },
      { ...common, port: 'protocol 47', count: 1 },
    ],
    goOn: 1,
  });
});

test('open connections > what is denied already does not end once more', async (t) => {
  t.deepEqual(await ending(closed, { count: 2, connections: [tcp(80), tcp(22)] }), {
    ending: [],
    goOn: 1,
  });
});

test('open connections > those for which there is no time, or that are too many, are counted', async (t) => {
  t.deepEqual(await ending(open, { count: 2, connections: [tcp(80), tcp(22)] }, -1), {
    ending: [],
    goOn: 0,
    notLookedAt: 2,
  });
  t.deepEqual(await ending(open, { count: 99_999, connections: [] }), {
    ending: [],
    goOn: 0,
    notLookedAt: 99_999,
  });
});
