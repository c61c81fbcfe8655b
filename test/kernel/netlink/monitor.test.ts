import { execFileSync } from 'node:child_process';
import test from 'ava';
import type { Address, Mac, Prefix, Vni } from '../../../src/net/index.js';
import {
  type Monitor,
  type Overrun,
  type RouteEvent,
  type RouteEventGroup,
  addAddress,
  addFdb,
  addRoute,
  deleteFdb,
  deleteLink,
  dumpFdb,
  dumpLinks,
  getLink,
  newLink,
  openRouteMonitor,
  replaceNeighbor,
  setBridgePort,
  setLink,
} from '../../../src/netlink/index.js';
import { until } from '../../helpers/native.js';
import { type Host, testHost } from './host.js';

const address = (text: string) => text as Address;
const mac = (i: number) =>
  `02:42:00:${[i >> 16, (i >> 8) & 255, i & 255].map((o) => o.toString(16).padStart(2, '0')).join(':')}` as Mac;

interface Listener {
  readonly events: (RouteEvent | Overrun)[];
  readonly monitor: Monitor;
  /** Waits for an event that is like this. */
  readonly saw: (what: string, like: (event: RouteEvent) => boolean) => Promise<void>;
}

async function listen(
  t: { teardown(fn: () => void): void },
  host: Host,
  groups: readonly RouteEventGroup[],
): Promise<Listener> {
  const events: (RouteEvent | Overrun)[] = [];
  const monitor = await openRouteMonitor({
    netns: host.netns.fd,
    groups,
    onEvent: (event) => events.push(event),
    onError: (error) => {
      throw error;
    },
  });
  t.teardown(() => {
    monitor.close();
  });
  return {
    events,
    monitor,
    saw: async (what, like) =>
      until(what, () => events.some((e) => e.type !== 'overrun' && like(e))),
  };
}

test('monitor > tells of links that come, change and go, and of ports as ports', async (t) => {
  const host = await testHost(t);
  const { events, ...listener } = await listen(t, host, ['link']);
  await host.conn.apply(newLink({ name: 'br0', kind: { type: 'bridge' } }));
  const { ifindex } = await getLink(host.conn, 'br0');
  await listener.saw('br0', (e) => e.type === 'link' && !e.isGone && e.link.name === 'br0');
  await host.conn.apply(
    newLink({ name: 'v0', master: ifindex, kind: { type: 'veth', peer: { name: 'v1' } } }),
    setBridgePort('v0', { learning: false }),
    // The kernel tells of an alias only while the link is up.
    setLink('v0', { isUp: true }),
    setLink('v0', { alias: 'weft:x' }),
  );
  await listener.saw('alias', (e) => e.type === 'link' && e.link.alias === 'weft:x');
  await listener.saw(
    'the port',
    (e) => e.type === 'port' && e.port.master === ifindex && e.port.options.learning === false,
  );
  await host.conn.apply(setLink('v0', { master: 0 }));
  await listener.saw(
    'that the port is gone',
    (e) => e.type === 'port' && e.isGone && e.port.name === 'v0',
  );
  t.false(
    events.some((e) => e.type === 'link' && e.isGone),
    'the link itself lives on',
  );
  await host.conn.apply(deleteLink('v0'));
  await listener.saw(
    'that v0 is gone',
    (e) => e.type === 'link' && e.isGone && e.link.name === 'v0',
  );
});

test('monitor > tells of addresses, routes, neighbors and FDB entries', async (t) => {
  const host = await testHost(t);
  await host.conn.apply(newLink({ name: 'br0', isUp: true, kind: { type: 'bridge' } }));
  const { ifindex } = await getLink(host.conn, 'br0');
  const vxlan = { type: 'vxlan', vni: 42 as Vni, port: 4789 } as const;
  await host.conn.apply(newLink({ name: 'vxlan0', master: ifindex, isUp: true, kind: vxlan }));
  const port = (await getLink(host.conn, 'vxlan0')).ifindex;
  const listener = await listen(t, host, ['address', 'route', 'neighbor']);
  const own = { ifindex, address: address('10.0.0.1'), prefixLength: 24 };
  const row = { ifindex: port, mac: mac(1), owner: 'self', state: 'permanent' } as const;
  await host.conn.apply(
    addAddress(own),
    addRoute({ prefix: '10.1.0.0/16' as Prefix, gateway: address('10.0.0.9') }),
    replaceNeighbor({ ifindex, address: address('10.0.0.2'), mac: mac(1), state: 'permanent' }),
    addFdb({ ...row, dst: address('10.9.9.9') }),
    addFdb({ ifindex: port, mac: mac(2), owner: 'master', state: 'static' }),
    deleteFdb(row),
  );
  await listener.saw('address', (e) => e.type === 'address' && e.address.address === own.address);
  await listener.saw('route', (e) => e.type === 'route' && e.route.prefix === '10.1.0.0/16');
  await listener.saw('neighbor', (e) => e.type === 'neighbor' && e.neighbor.mac === mac(1));
  await listener.saw('row', (e) => e.type === 'fdb' && e.entry.dst === '10.9.9.9' && !e.isGone);
  await listener.saw(
    'that the row is gone',
    (e) => e.type === 'fdb' && e.entry.mac === mac(1) && e.isGone,
  );
  await listener.saw('bridge row', (e) => e.type === 'fdb' && e.entry.owner === 'master');
  t.pass();
});

test('monitor > says overrun when it was too slow, then goes on', async (t) => {
  const host = await testHost(t);
  const vxlan = { type: 'vxlan', vni: 42 as Vni, port: 4789 } as const;
  await host.conn.apply(newLink({ name: 'vxlan0', kind: vxlan }));
  const { ifindex } = await getLink(host.conn, 'vxlan0');
  const { events, ...listener } = await listen(t, host, ['neighbor']);
  const count = 15_000;
  const rows = Array.from(
    { length: count },
    (_, i) => `fdb add ${mac(i)} dev vxlan0 dst 10.1.1.2 self permanent\n`,
  );
  // Another process makes more events than the socket holds, while ours does not get to read.
  const args = ['-n', host.netns.name, '-batch', '-'];
  execFileSync('bridge', args, { input: rows.join('') });
  await until('overrun', () => events.some((e) => e.type === 'overrun'));
  t.true(events.length < count);
  const late = { ifindex, mac: mac(count), owner: 'self', state: 'permanent' } as const;
  await host.conn.apply(addFdb({ ...late, dst: address('10.1.1.3') }));
  await listener.saw('an event after it', (e) => e.type === 'fdb' && e.entry.dst === '10.1.1.3');
  t.is((await dumpFdb(host.conn, { ifindex })).length, count + 1);
});

test('monitor > says nothing once closed', async (t) => {
  const host = await testHost(t);
  const { events, monitor } = await listen(t, host, ['link']);
  monitor.close();
  monitor.close();
  await host.conn.apply(newLink({ name: 'br0', kind: { type: 'bridge' } }));
  await dumpLinks(host.conn);
  t.deepEqual(events, []);
});
