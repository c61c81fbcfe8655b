import test from 'ava';
import {
  Connection,
  FLOOD_MAC,
  dumpAddresses,
  dumpFdb,
  dumpLinks,
  dumpNeighbors,
  dumpRoutes,
} from '../../../src/netlink/index.js';
import { splitDatagram } from '../../../src/netlink/message.js';
import { fakeSocket } from './fake-socket.js';
import { fixture } from './fixtures.js';

/** A connection to a kernel that answers everything with the dump in this fixture. */
function answering(name: string): Connection {
  return new Connection(
    fakeSocket(([request]) => {
      const octets = fixture(name);
      for (const m of splitDatagram(octets)) octets.writeUInt32LE(request!.sequence, m.at - 8);
      return [octets];
    }),
  );
}

test('replies > links of a real kernel', async (t) => {
  const [lo, br0, vxlan0, v1, v0, ...more] = await dumpLinks(answering('reply-links'));
  t.deepEqual(more, []);
  t.like(lo, {
    ifindex: 1,
    name: 'lo',
    mtu: 65536,
    isLoopback: true,
    isUp: false,
    kind: undefined,
  });
  t.like(br0, { ifindex: 2, name: 'br0', isUp: true, addrGenMode: 'eui64' });
  t.like(br0!.kind, { type: 'bridge', ageingTimeCs: 30_000, multicastSnooping: true });
  t.like(vxlan0, { ifindex: 3, name: 'vxlan0', mtu: 1500, master: 2, hasCarrier: true });
  t.like(vxlan0!.kind, { type: 'vxlan', vni: 42, local: '10.1.1.1', port: 4789, learning: false });
  t.like(vxlan0!.port, { learning: true, unicastFlood: true, isolated: false, priority: 32 });
  t.like(v1, { ifindex: 4, name: 'v1', link: 5, kind: { type: 'veth' }, operState: 'up' });
  t.like(v0, { ifindex: 5, name: 'v0', link: 4, master: 2 });
  t.is(typeof v0!.stats!.rxBytes, 'bigint');
});

test('replies > FDB entries of a real kernel', async (t) => {
  const entries = await dumpFdb(answering('reply-fdb'));
  const ofVxlan = entries.filter((e) => e.ifindex === 3);
  t.deepEqual(
    ofVxlan.map((e) => `${e.owner} ${e.state} ${e.dst ?? '-'}`),
    ['master permanent -', 'self permanent 10.1.1.3', 'self permanent 10.1.1.2'],
  );
  t.is(ofVxlan[0]!.master, 2);
  t.is(ofVxlan[1]!.mac, FLOOD_MAC);
  t.like(ofVxlan[2], { mac: '02:42:0a:00:00:02', vni: undefined, isExternal: false });
});

test('replies > neighbors of a real kernel', async (t) => {
  const neighbors = await dumpNeighbors(answering('reply-neighbors'));
  t.like(
    neighbors.find((n) => n.address === '10.0.0.2'),
    { ifindex: 2, mac: '02:42:0a:00:00:02', state: 'permanent', protocol: 99 },
  );
});

test('replies > addresses of a real kernel', async (t) => {
  const addresses = await dumpAddresses(answering('reply-addresses'));
  t.like(addresses[0], { ifindex: 4, address: '10.9.0.1', prefixLength: 24, label: 'v1' });
  t.like(
    addresses.find((a) => a.address === 'fd09::1'),
    { prefixLength: 64, scope: 'global', noDad: true, isPermanent: true, isTentative: false },
  );
});

test('replies > routes of a real kernel', async (t) => {
  const routes = await dumpRoutes(answering('reply-routes'), { family: 4 });
  t.like(
    routes.find((r) => r.prefix === '10.7.0.0/16'),
    { table: 254, type: 'unicast', protocol: 3, ifindex: undefined },
  );
  t.deepEqual(routes.find((r) => r.prefix === '10.7.0.0/16')!.nexthops, [
    { ifindex: 4, weight: 3, gateway: '10.9.0.9' as never },
    { ifindex: 2, weight: 1 },
  ]);
  t.like(
    routes.find((r) => r.prefix === '10.9.0.0/24'),
    { ifindex: 4, source: '10.9.0.1', protocol: 2 },
  );
});
