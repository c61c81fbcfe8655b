import test from 'ava';
import type { Address, Mac, Vni } from '../../../src/net/index.js';
import {
  Connection,
  type LinkSpec,
  NetlinkError,
  addAltName,
  deleteAltName,
  deleteLink,
  dumpLinks,
  getLink,
  newLink,
  renameLink,
  setBridgePort,
  setLink,
} from '../../../src/netlink/index.js';
import { linkAsIp, portAsIp } from './as-iproute.js';
import { testHost } from './host.js';

const address = (text: string) => text as Address;
const mac = (text: string) => text as Mac;

const specs: readonly (LinkSpec & { readonly title: string })[] = [
  {
    title: 'a bridge',
    name: 'b0',
    isUp: true,
    mtu: 1450,
    mac: mac('02:00:00:00:00:01'),
    kind: { type: 'bridge' },
  },
  {
    title: 'a bridge with options',
    name: 'b0',
    kind: {
      type: 'bridge',
      ageingTimeCs: 12_000,
      forwardDelayCs: 400,
      helloTimeCs: 100,
      maxAgeCs: 1000,
      priority: 7,
      multicastSnooping: false,
      multicastQuerier: true,
      multicastHashMax: 512,
      nfCallIptables: true,
      groupAddress: mac('01:80:c2:00:00:0d'),
    },
  },
  {
    title: 'a veth pair',
    name: 'v0',
    mtu: 1400,
    group: 7,
    txQueueLength: 500,
    mac: mac('02:00:00:00:00:02'),
    kind: { type: 'veth', peer: { name: 'v1', mtu: 1300, mac: mac('02:00:00:00:00:03') } },
  },
  {
    title: 'a VXLAN link with the defaults',
    name: 'x0',
    kind: { type: 'vxlan', vni: 1 as Vni, port: 4789 },
  },
  {
    title: 'a VXLAN link as weft wants it',
    name: 'x0',
    mtu: 1450,
    kind: {
      type: 'vxlan',
      vni: 0xffffff as Vni,
      local: address('10.1.1.1'),
      port: 4789,
      learning: false,
      udpChecksum: true,
    },
  },
  {
    title: 'a VXLAN link with options',
    name: 'x0',
    kind: {
      type: 'vxlan',
      vni: 42 as Vni,
      group: address('10.1.1.9'),
      port: 1,
      sourcePorts: { low: 1000, high: 2000 },
      ttl: 64,
      tos: 8,
      df: 1,
      l2Miss: true,
      l3Miss: true,
      proxy: true,
      routeShortCircuit: true,
      ageingSec: 100,
      maxEntries: 10,
      groupPolicy: true,
      remoteChecksumTx: true,
      remoteChecksumRx: true,
    },
  },
  {
    title: 'a VXLAN link over IPv6',
    name: 'x0',
    kind: {
      type: 'vxlan',
      vni: 42 as Vni,
      local: address('fd00::1'),
      group: address('fd00::2'),
      port: 4789,
      udpZeroChecksum6Rx: true,
      ttlInherit: true,
      flowLabel: 0x12345,
    },
  },
  {
    title: 'a VXLAN link that collects metadata',
    name: 'x0',
    kind: { type: 'vxlan', vni: 0 as Vni, port: 4789, collectMetadata: true },
  },
];

for (const { title, ...spec } of specs) {
  test(`links > ip shows ${title} as we made it, and we read what ip shows`, async (t) => {
    const host = await testHost(t);
    await host.conn.apply(newLink(spec));
    const link = await getLink(host.conn, spec.name);
    const [shown] = host.json(`ip link show ${spec.name}`);
    t.like(shown, linkAsIp(link, await host.names()));
    const { kind, ...basics } = spec;
    t.like(link, basics);
    if (kind.type === 'veth') {
      t.like(await getLink(host.conn, kind.peer.name), { ...kind.peer, kind: { type: 'veth' } });
    } else {
      t.like(link.kind, kind);
    }
  });
}

const foreign = [
  'ip link add b0 type bridge stp_state 1 mcast_query_interval 999',
  'ip link add x0 type vxlan id 9 group 239.1.1.1 dev lo dstport 4789 ttl 5 noudpcsum',
  'ip link add x0 type vxlan id 9 group ff02::1 dev lo dstport 4789 df unset',
  'ip link add x0 type vxlan dstport 4790 external gpe',
  'ip link add v0 group 3 type veth peer name v1',
];
for (const command of foreign) {
  test(`links > reads what was made by: ${command}`, async (t) => {
    const host = await testHost(t);
    host.run(command);
    const names = await host.names();
    const ours = (await dumpLinks(host.conn)).map((l) => linkAsIp(l, names));
    const theirs = host.json('ip link show');
    t.is(ours.length, theirs.length);
    for (const [i, shown] of theirs.entries()) t.like(shown, ours[i]!, String(shown['ifname']));
  });
}

test('links > changes show in ip, and can be taken back', async (t) => {
  const host = await testHost(t);
  await host.conn.apply(
    newLink({ name: 'b0', kind: { type: 'bridge' } }),
    newLink({ name: 'v0', kind: { type: 'veth', peer: { name: 'v1' } } }),
  );
  const bridge = await getLink(host.conn, 'b0');
  await host.conn.apply(
    setLink('v0', {
      alias: 'weft:abc',
      mtu: 1400,
      mac: mac('02:00:00:00:00:09'),
      group: 5,
      txQueueLength: 7,
      addrGenMode: 'none',
      isPromiscuous: true,
    }),
    setLink('v0', { master: bridge.ifindex, isUp: true }),
    addAltName('v0', 'a-name-of-more-than-fifteen-letters'),
  );
  const link = await getLink(host.conn, 'a-name-of-more-than-fifteen-letters');
  const [shown] = host.json('ip link show v0');
  t.like(shown, linkAsIp(link, await host.names()));
  t.like(shown, {
    ifalias: 'weft:abc',
    master: 'b0',
    altnames: ['a-name-of-more-than-fifteen-letters'],
    inet6_addr_gen_mode: 'none',
  });
  t.true(['PROMISC', 'UP'].every((flag) => (shown!['flags'] as string[]).includes(flag)));
  t.true(link.isUp && link.isPromiscuous && !link.hasCarrier);

  await host.conn.apply(
    setLink(link.ifindex, { alias: '', master: 0, isUp: false, isPromiscuous: false }),
    deleteAltName(link.ifindex, 'a-name-of-more-than-fifteen-letters'),
    renameLink(link.ifindex, 'v9'),
  );
  const [after] = host.json('ip link show v9');
  for (const gone of ['ifalias', 'master', 'altnames']) t.false(gone in after!, gone);
  t.false((after!['flags'] as string[]).includes('UP'));
});

test('links > a bridge port is as bridge shows it', async (t) => {
  const host = await testHost(t);
  await host.conn.apply(newLink({ name: 'b0', kind: { type: 'bridge' } }));
  const { ifindex: master } = await getLink(host.conn, 'b0');
  const port = {
    learning: false,
    unicastFlood: false,
    multicastFlood: false,
    broadcastFlood: false,
    isolated: true,
    locked: true,
    neighSuppress: true,
    hairpin: true,
    priority: 5,
    cost: 17,
  };
  const outcomes = await host.conn.request([
    newLink({ name: 'v0', master, kind: { type: 'veth', peer: { name: 'v1' } } }),
    setBridgePort('v0', port),
    setBridgePort('v1', port),
  ]);
  t.deepEqual(
    outcomes.map((o) => o?.code),
    [undefined, undefined, 'EOPNOTSUPP'],
  );
  const [shown] = host.json('bridge link show dev v0');
  const [link] = await dumpLinks(host.conn, { master });
  t.like(link, { name: 'v0', master, port });
  t.like(shown, portAsIp(link!.port!));
});

test('links > a VXLAN link is made from here straight into another namespace', async (t) => {
  const host = await testHost(t);
  const other = await testHost(t);
  const spec = {
    name: 'vxlan0',
    netnsFd: other.netns.fd,
    kind: { type: 'vxlan', vni: 7 as Vni, port: 4789, local: address('127.0.0.1') },
  } as const;
  await host.conn.apply(newLink(spec));
  t.deepEqual(host.json('ip link show type vxlan'), []);
  const [shown] = other.json('ip link show vxlan0');
  const link = await getLink(other.conn, 'vxlan0');
  t.like(shown, linkAsIp(link, await other.names()));
  t.is(link.linkNetnsId, shown!['link_netnsid'] as number | undefined);

  // The VNI is taken here, where its packets arrive, and free there.
  const [again] = await host.conn.request([newLink({ ...spec, name: 'vxlan1' })]);
  t.is(again?.code, 'EEXIST');
  await other.conn.apply(newLink({ name: 'vxlan1', kind: spec.kind }));
});

test('links > the ends of a veth are made in two namespaces, and know each other', async (t) => {
  const host = await testHost(t);
  const other = await testHost(t);
  const peer = { name: 'eth0', netnsFd: other.netns.fd, mtu: 1450 };
  await host.conn.apply(newLink({ name: 'v0', mtu: 1450, kind: { type: 'veth', peer } }));
  const here = await getLink(host.conn, 'v0');
  const there = await getLink(other.conn, 'eth0');
  t.is(here.link, there.ifindex);
  t.is(there.link, here.ifindex);
  t.true(here.linkNetnsId !== undefined && there.linkNetnsId !== undefined);
  await other.conn.apply(setLink('eth0', { netnsFd: host.netns.fd }));
  t.is((await getLink(host.conn, 'eth0')).linkNetnsId, undefined);
  await host.conn.apply(deleteLink('eth0'));
  t.deepEqual(
    (await dumpLinks(host.conn)).map((l) => l.name),
    ['lo'],
  );
});

test('links > counters are those that ip shows', async (t) => {
  const host = await testHost(t);
  host.run('ip link set lo up');
  const { stats } = await getLink(host.conn, 'lo');
  const [shown] = JSON.parse(host.run('ip -j -s link show lo')) as {
    readonly stats64: { readonly rx: { bytes: number }; readonly tx: { packets: number } };
  }[];
  t.is(Number(stats!.rxBytes), shown!.stats64.rx.bytes);
  t.is(Number(stats!.txPackets), shown!.stats64.tx.packets);
});

test('errors > carry the kernel words and the attribute it points at', async (t) => {
  const host = await testHost(t);
  const wrong = newLink({ name: 'x0', kind: { type: 'vxlan', vni: 0x1000000 as Vni } });
  const error = await t.throwsAsync(host.conn.apply(wrong), { instanceOf: NetlinkError });
  t.like(error.detail, {
    code: 'ERANGE',
    errno: 34,
    op: 'RTM_NEWLINK',
    attribute: 'IFLA_VXLAN.id',
  });
  t.regex(error.message, /^RTM_NEWLINK of link "x0" refused with ERANGE: .*VXLAN/);
});

test('errors > have the errno that callers judge by', async (t) => {
  const host = await testHost(t);
  const bridge = newLink({ name: 'b0', kind: { type: 'bridge' } });
  const outcomes = await host.conn.request([
    bridge,
    bridge,
    deleteLink('none'),
    setLink(999, { isUp: true }),
    newLink({ name: 'v0', kind: { type: 'veth', peer: { name: 'b0' } } }),
    newLink({ name: 'a-name-that-is-too-long', kind: { type: 'bridge' } }),
    setLink('b0', { mtu: 10 }),
    setLink('b0', { netnsFd: 9999 }),
  ]);
  t.deepEqual(
    outcomes.map((o) => o?.code),
    [undefined, 'EEXIST', 'ENODEV', 'ENODEV', 'EEXIST', 'ERANGE', 'EINVAL', 'EBADF'],
  );
  await t.throwsAsync(getLink(host.conn, 'none'), { code: 'ENODEV' });
  await t.throwsAsync(Connection.open({ netns: '/run/netns/weft-none' }), { code: 'ENOENT' });
});
