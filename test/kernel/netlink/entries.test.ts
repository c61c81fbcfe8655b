import test from 'ava';
import { type Address, type Mac, type Prefix, parseAddress } from '../../../src/net/index.js';
import {
  FLOOD_MAC,
  type FdbEntry,
  type LinkAddress,
  type Neighbor,
  type Route,
  addAddress,
  addFdb,
  addRoute,
  appendFdb,
  deleteAddress,
  deleteFdb,
  deleteNeighbor,
  deleteRoute,
  dumpAddresses,
  dumpFdb,
  dumpNeighbors,
  dumpRoutes,
  getLink,
  getRoute,
  newLink,
  replaceAddress,
  replaceFdb,
  replaceNeighbor,
  replaceRoute,
  setLink,
} from '../../../src/netlink/index.js';
import { addressAsIp, fdbAsBridge, neighborAsIp, routeAsIp } from './as-iproute.js';
import { type Host, testHost } from './host.js';

const address = (text: string) => text as Address;
const mac = (text: string) => text as Mac;
const prefix = (text: string) => text as Prefix;
const A = mac('02:42:0a:00:00:0a');
const B = mac('02:42:0a:00:00:0b');

/** Compares two lists whatever their order. */
const sorted = <T>(list: readonly T[]): T[] =>
  list
    .map((item) => [JSON.stringify(item), item] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, item]) => item);

/** Only the keys that `ours` has, and no undefined: what `ip -j` and we both say. */
function both(ours: readonly object[], theirs: readonly Record<string, unknown>[]) {
  const keys = new Set(ours.flatMap((o) => Object.keys(o)));
  const pick = (shown: Record<string, unknown>) =>
    Object.fromEntries(Object.entries(shown).filter(([key]) => keys.has(key)));
  return [sorted(JSON.parse(JSON.stringify(ours)) as object[]), sorted(theirs.map(pick))] as const;
}

function order(o: object): object {
  return Object.fromEntries(Object.entries(o).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** A bridge with a VXLAN link and a veth's end in it, all up. */
async function overlay(host: Host) {
  await host.conn.apply(newLink({ name: 'br0', isUp: true, kind: { type: 'bridge' } }));
  const { ifindex: master } = await getLink(host.conn, 'br0');
  const vxlan = { type: 'vxlan', vni: 42 as never, port: 4789, learning: false } as const;
  await host.conn.apply(
    newLink({ name: 'vxlan0', master, isUp: true, kind: vxlan }),
    newLink({ name: 'v0', master, kind: { type: 'veth', peer: { name: 'v1' } } }),
    setLink('v0', { addrGenMode: 'none' }),
    setLink('v1', { addrGenMode: 'none' }),
    setLink('v0', { isUp: true }),
    setLink('v1', { isUp: true }),
  );
  const ifindexOf = async (name: string) => (await getLink(host.conn, name)).ifindex;
  return {
    br0: master,
    vxlan0: await ifindexOf('vxlan0'),
    v0: await ifindexOf('v0'),
    v1: await ifindexOf('v1'),
  };
}

test('fdb > entries are as bridge shows them, and those that bridge made as we read them', async (t) => {
  const host = await testHost(t);
  const { vxlan0, v0 } = await overlay(host);
  const remote = { ifindex: vxlan0, owner: 'self', state: 'permanent' } as const;
  const entries: FdbEntry[] = [
    { ...remote, mac: A, dst: address('10.1.1.2') },
    { ...remote, mac: B, dst: address('10.1.1.3'), vni: 77, port: 4790, via: v0 },
    { ...remote, mac: mac('02:00:00:00:00:06'), dst: address('10.1.1.6'), state: 'static' },
    { ifindex: v0, mac: A, owner: 'master', state: 'static' },
    { ifindex: v0, mac: B, owner: 'master', state: 'dynamic', isExternal: true },
    {
      ifindex: v0,
      mac: mac('02:00:00:00:00:01'),
      owner: 'master',
      state: 'static',
      isSticky: true,
    },
  ];
  await host.conn.apply(...entries.map(addFdb));
  await host.conn.apply(
    appendFdb({ ...remote, mac: FLOOD_MAC, dst: address('10.1.1.2') }),
    appendFdb({ ...remote, mac: FLOOD_MAC, dst: address('10.1.1.3') }),
    appendFdb({ ...remote, mac: FLOOD_MAC, dst: address('10.1.1.3') }),
  );
  host.run('bridge fdb append 00:00:00:00:00:00 dev vxlan0 dst 10.1.1.4 self permanent');
  host.run('bridge fdb replace 02:00:00:00:00:02 dev v0 master static');

  const all = await dumpFdb(host.conn);
  const names = await host.names();
  const [ours, theirs] = both(
    all.map((e) => fdbAsBridge(e, names)),
    host.json('bridge fdb show'),
  );
  t.deepEqual(ours.map(order), theirs.map(order));
  for (const entry of entries) {
    const found = all.filter(
      (e) => e.mac === entry.mac && e.owner === entry.owner && e.ifindex === entry.ifindex,
    );
    t.is(found.length, 1, entry.mac);
    t.like(found[0], entry);
  }
  const flood = all.filter((e) => e.mac === FLOOD_MAC).map((e) => e.dst);
  t.deepEqual(sorted(flood), ['10.1.1.2', '10.1.1.3', '10.1.1.4'] as Address[]);
});

test('fdb > a dump can be of one link or of one bridge', async (t) => {
  const host = await testHost(t);
  const { br0, vxlan0, v0 } = await overlay(host);
  await host.conn.apply(
    addFdb({
      ifindex: vxlan0,
      mac: A,
      owner: 'self',
      state: 'permanent',
      dst: address('10.1.1.2'),
    }),
    addFdb({ ifindex: v0, mac: B, owner: 'master', state: 'static' }),
  );
  const ofVxlan = await dumpFdb(host.conn, { ifindex: vxlan0 });
  t.true(ofVxlan.every((e) => e.ifindex === vxlan0));
  t.true(ofVxlan.some((e) => e.mac === A));
  const ofBridge = await dumpFdb(host.conn, { master: br0 });
  t.true(ofBridge.some((e) => e.mac === B && e.master === br0));
});

test('fdb > replace moves a MAC, refuses flood rows; delete takes one destination', async (t) => {
  const host = await testHost(t);
  const { vxlan0 } = await overlay(host);
  const row = { ifindex: vxlan0, mac: A, owner: 'self', state: 'permanent' } as const;
  const flood = { ...row, mac: FLOOD_MAC };
  const outcomes = await host.conn.request([
    replaceFdb({ ...row, dst: address('10.1.1.2') }),
    replaceFdb({ ...row, dst: address('10.1.1.3') }),
    addFdb({ ...row, dst: address('10.1.1.4') }),
    appendFdb({ ...flood, dst: address('10.1.1.2') }),
    appendFdb({ ...flood, dst: address('10.1.1.3') }),
    replaceFdb({ ...flood, dst: address('10.1.1.4') }),
    deleteFdb({ ...flood, dst: address('10.1.1.2') }),
    deleteFdb({ ...flood, dst: address('10.1.1.2') }),
    deleteFdb({ ...row, mac: B }),
  ]);
  t.deepEqual(
    outcomes.map((o) => o?.code),
    [
      undefined,
      undefined,
      'EEXIST',
      undefined,
      undefined,
      'EOPNOTSUPP',
      undefined,
      undefined,
      'ENOENT',
    ],
  );
  const left = (await dumpFdb(host.conn, { ifindex: vxlan0 })).filter((e) => e.owner === 'self');
  t.deepEqual(left.map((e) => `${e.mac} ${e.dst}`).toSorted(), [
    `${FLOOD_MAC} 10.1.1.3`,
    `${A} 10.1.1.3`,
  ]);
});

test('fdb > append has no effect on a unicast MAC that has an entry', async (t) => {
  const host = await testHost(t);
  const { vxlan0 } = await overlay(host);
  const row = { ifindex: vxlan0, mac: A, owner: 'self', state: 'permanent' } as const;
  await host.conn.apply(
    appendFdb({ ...row, dst: address('10.1.1.2') }),
    appendFdb({ ...row, dst: address('10.1.1.3') }),
  );
  const rows = (await dumpFdb(host.conn, { ifindex: vxlan0 })).filter((e) => e.owner === 'self');
  t.deepEqual(
    rows.map((e) => e.dst),
    [address('10.1.1.2')],
  );
});

test('neighbors > are as ip shows them, and carry our mark', async (t) => {
  const host = await testHost(t);
  const { br0, v0 } = await overlay(host);
  const entries: Neighbor[] = [
    { ifindex: br0, address: address('10.0.0.2'), mac: A, state: 'permanent', protocol: 99 },
    { ifindex: br0, address: address('fd00::2'), mac: A, state: 'permanent', protocol: 99 },
    { ifindex: v0, address: address('10.0.0.3'), mac: B, state: 'reachable' },
    { ifindex: br0, address: address('fd00::3'), mac: B, state: 'stale', isRouter: true },
  ];
  await host.conn.apply(...entries.map(replaceNeighbor));
  host.run('ip neigh replace 10.0.0.9 lladdr 02:00:00:00:00:09 dev br0 nud noarp');
  const all = await dumpNeighbors(host.conn);
  const names = await host.names();
  // Multicast neighbors come and go as the links join groups.
  const isUnicast = (n: { readonly dst?: unknown }) => !/^(22[4-9]\.|ff)/.test(String(n.dst));
  const [ours, theirs] = both(
    all.map((n) => neighborAsIp(n, names)).filter(isUnicast),
    host.json('ip neigh show nud all').filter(isUnicast),
  );
  t.deepEqual(ours.map(order), theirs.map(order));
  for (const entry of entries) {
    t.like(
      all.find((n) => n.address === entry.address),
      entry,
      entry.address,
    );
  }
  t.is((await dumpNeighbors(host.conn, { ifindex: v0, family: 4 })).length, 1);

  const gone = deleteNeighbor(entries[0]!);
  const outcomes = await host.conn.request([
    gone,
    gone,
    replaceNeighbor({ ...entries[1]!, mac: B }),
  ]);
  // The kernel may keep a deleted entry for a moment, as failed; a second delete then finds it.
  t.is(outcomes[0], undefined);
  t.is(outcomes[2], undefined);
  const after = await dumpNeighbors(host.conn, { ifindex: br0 });
  t.is(after.find((n) => n.address === entries[1]!.address)?.mac, B);
  t.not(after.find((n) => n.address === entries[0]!.address)?.state, 'permanent');
});

test('addresses > are as ip shows them', async (t) => {
  const host = await testHost(t);
  const { br0, v1 } = await overlay(host);
  const entries: LinkAddress[] = [
    {
      ifindex: br0,
      address: address('10.0.0.1'),
      prefixLength: 24,
      broadcast: address('10.0.0.255'),
    },
    { ifindex: br0, address: address('10.0.1.1'), prefixLength: 32, peer: address('10.0.1.2') },
    { ifindex: v1, address: address('10.0.2.1'), prefixLength: 31, label: 'v1:x', scope: 'link' },
    { ifindex: v1, address: address('10.0.3.1'), prefixLength: 16, noPrefixRoute: true, metric: 9 },
    {
      ifindex: v1,
      address: address('fd00::1'),
      prefixLength: 64,
      noDad: true,
      noPrefixRoute: true,
    },
  ];
  await host.conn.apply(...entries.map(addAddress));
  const all = await dumpAddresses(host.conn);
  for (const ifname of ['br0', 'v1']) {
    const [shown] = host.json(`ip addr show dev ${ifname}`);
    const ours = all.filter((a) => a.ifindex === (ifname === 'br0' ? br0 : v1)).map(addressAsIp);
    const [mine, theirs] = both(ours, shown!['addr_info'] as Record<string, unknown>[]);
    t.deepEqual(mine.map(order), theirs.map(order), ifname);
  }
  for (const entry of entries)
    t.like(
      all.find((a) => a.address === entry.address),
      entry,
    );

  const outcomes = await host.conn.request([
    addAddress(entries[0]!),
    replaceAddress(entries[0]!),
    deleteAddress(entries[0]!),
    deleteAddress(entries[0]!),
  ]);
  t.deepEqual(
    outcomes.map((o) => o?.code),
    ['EEXIST', undefined, undefined, 'EADDRNOTAVAIL'],
  );
  t.is((await dumpAddresses(host.conn, { ifindex: v1, family: 6 })).length, 1);
});

async function routed(host: Host) {
  const links = await overlay(host);
  await host.conn.apply(
    addAddress({ ifindex: links.br0, address: address('10.0.0.1'), prefixLength: 24 }),
    addAddress({ ifindex: links.v1, address: address('fd00::1'), prefixLength: 64, noDad: true }),
  );
  return links;
}

test('routes > are as ip shows them', async (t) => {
  const host = await testHost(t);
  const { br0, v1 } = await routed(host);
  const gateway = address('10.0.0.9');
  const routes: Route[] = [
    { prefix: prefix('0.0.0.0/0'), gateway },
    {
      prefix: prefix('10.1.0.0/16'),
      ifindex: br0,
      source: address('10.0.0.1'),
      metric: 7,
      mtu: 1300,
    },
    { prefix: prefix('10.2.0.0/16'), gateway, ifindex: br0, table: 1000, protocol: 99 },
    { prefix: prefix('10.3.0.0/16'), type: 'blackhole' },
    { prefix: prefix('10.4.0.0/16'), gateway: address('fd00::9'), ifindex: v1 },
    {
      prefix: prefix('10.5.0.0/16'),
      nexthops: [
        { ifindex: br0, gateway, weight: 3 },
        { ifindex: br0, gateway: address('10.0.0.8'), weight: 1 },
      ],
    },
    { prefix: prefix('fd05::/48'), gateway: address('fd00::9'), ifindex: v1, metric: 5 },
    { prefix: prefix('::/0'), ifindex: v1 },
  ];
  await host.conn.apply(...routes.map(addRoute));
  const names = await host.names();
  for (const family of [4, 6] as const) {
    const all = await dumpRoutes(host.conn, { family });
    const [ours, theirs] = both(
      all.map((r) => routeAsIp(r, names)),
      host.json(`ip -${family} route show table all`),
    );
    t.deepEqual(ours.map(order), theirs.map(order), `IPv${family}`);
    for (const route of routes.filter((r) => r.prefix.includes(':') === (family === 6))) {
      t.like(
        all.find((r) => r.prefix === route.prefix && r.protocol !== 2),
        route,
        route.prefix,
      );
    }
  }
  t.is((await dumpRoutes(host.conn, { family: 4, table: 1000 })).length, 1);
  t.deepEqual(await dumpRoutes(host.conn, { family: 4, table: 1001 }), []);
  t.deepEqual(await dumpRoutes(host.conn, { family: 6, table: 1001 }), []);
  t.true((await dumpRoutes(host.conn, { family: 4, ifindex: v1 })).every((r) => r.ifindex === v1));

  const direct = { prefix: prefix('10.1.0.0/16'), ifindex: br0, metric: 7 };
  const outcomes = await host.conn.request([
    addRoute(direct),
    replaceRoute({ ...direct, mtu: 1200 }),
    deleteRoute(direct),
    deleteRoute(direct),
    ...routes.slice(2).map(deleteRoute),
  ]);
  t.deepEqual(
    outcomes.slice(0, 4).map((o) => o?.code),
    ['EEXIST', undefined, undefined, 'ESRCH'],
  );
  t.deepEqual(
    outcomes.slice(4).filter((o) => o !== undefined),
    [],
  );
});

test('routes > the way to an address has link, gateway and source', async (t) => {
  const host = await testHost(t);
  const { br0, v1 } = await routed(host);
  await host.conn.apply(addRoute({ prefix: prefix('10.9.0.0/16'), gateway: address('10.0.0.9') }));
  t.like(await getRoute(host.conn, parseAddress('10.9.1.1')), {
    ifindex: br0,
    gateway: '10.0.0.9',
    source: '10.0.0.1',
    table: 254,
  });
  t.like(await getRoute(host.conn, parseAddress('fd00::77')), { ifindex: v1, source: 'fd00::1' });
  t.like(await getRoute(host.conn, parseAddress('10.0.0.1')), {
    type: 'local',
    source: '10.0.0.1',
  });
  await t.throwsAsync(getRoute(host.conn, parseAddress('192.0.2.1')), { code: 'ENETUNREACH' });
});
