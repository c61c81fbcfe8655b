import test from 'ava';
import { parseAddress, parseVni } from '../../../src/net/index.js';
import type { Link } from '../../../src/netlink/index.js';
import {
  INNER_MTU,
  type LinkWish,
  bridgeWish,
  isAnother,
  linkRepairs,
  portWish,
  vxlanWish,
} from '../../../src/vxlan/links.js';

const BRIDGE = 2;
const spec = { id: '00000000aaaa', vni: parseVni(7), mtu: 1450 };
const underlay = { vtep: parseAddress('192.168.0.1'), port: 4789 };
const vxlan = vxlanWish(spec, underlay);
const port = portWish(spec.id, 'a'.repeat(64));

/** The link as the kernel reports it when it is right. */
function right({ name, alias, mac, kind, port: flags }: LinkWish): Link {
  return {
    ifindex: 5,
    name,
    altNames: [],
    alias,
    mac,
    mtu: INNER_MTU,
    kind: kind as Link['kind'],
    group: 0,
    txQueueLength: 0,
    isUp: true,
    hasCarrier: true,
    isLoopback: false,
    isPromiscuous: false,
    operState: 'up',
    addrGenMode: 'none',
    ...(flags && { master: BRIDGE, port: { ...flags, state: 3 } }),
  };
}

for (const wish of [bridgeWish(spec, underlay), vxlan, port]) {
  test(`linkRepairs > has nothing to do for a right ${wish.kind.type}`, (t) => {
    t.deepEqual(linkRepairs(wish, right(wish), BRIDGE), []);
    t.false(isAnother(wish, right(wish)));
  });
}

const what = (link: Partial<Link>, wish = vxlan) =>
  linkRepairs(wish, { ...right(wish), ...link }, BRIDGE).map((m) => {
    const { head, attrs } = m.value as { head: { flags: number; change: number }; attrs: object };
    const fields = Object.entries(attrs).filter(([, value]) => value !== undefined);
    return { up: head.flags, ...Object.fromEntries(fields) };
  });

test('linkRepairs > changes only what differs', (t) => {
  t.deepEqual(what({ mtu: 1450 }), [{ up: 0, mtu: INNER_MTU }]);
  t.deepEqual(what({ isUp: false }), [{ up: 1 }]);
  t.deepEqual(what({ alias: undefined }), [{ up: 0, alias: 'weft:00000000aaaa' }]);
});

test('linkRepairs > gives a link that enters the bridge all its flags, before it is up', (t) => {
  const flags = { kind: 'bridge', data: vxlan.port };
  t.deepEqual(what({ master: undefined, port: undefined, isUp: false }), [
    { up: 0, master: BRIDGE },
    { up: 0, linkInfo: { port: flags } },
    { up: 1 },
  ]);
  t.deepEqual(what({ master: 9 }), [
    { up: 0, master: BRIDGE },
    { up: 0, linkInfo: { port: flags } },
  ]);
});

test('linkRepairs > does not ask again and again for a flag that an older kernel does not have', (t) => {
  const { locked: _, ...without } = right(port).port!;
  t.deepEqual(what({ port: without }, port), []);
  t.deepEqual(what({ port: { ...without, learning: true } }, port), [
    { up: 0, linkInfo: { port: { kind: 'bridge', data: { learning: false } } } },
  ]);
});

test('isAnother > says when a link has to be made anew', (t) => {
  const kind = right(vxlan).kind as Extract<Link['kind'], { type: 'vxlan' }>;
  const others = [
    { type: 'veth' },
    { ...kind, vni: parseVni(8) },
    { ...kind, port: 8472 },
    { ...kind, local: parseAddress('192.168.0.9') },
    { ...kind, udpChecksum: false },
  ] as Link['kind'][];
  for (const other of others) t.true(isAnother(vxlan, { ...right(vxlan), kind: other }));
  t.false(isAnother(vxlan, { ...right(vxlan), kind: { ...kind, learning: true } }));
});
