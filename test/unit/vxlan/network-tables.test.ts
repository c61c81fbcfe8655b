import test from 'ava';
import * as fc from 'fast-check';
import { parseAddress, parseMac } from '../../../src/net/index.js';
import type { FdbEntry } from '../../../src/netlink/index.js';
import { portLink } from '../../../src/vxlan/names.js';
import { NetworkTables } from '../../../src/vxlan/network-tables.js';
import type { RowSource } from '../../../src/vxlan/rows.js';
import { Tally } from '../../../src/vxlan/tally.js';
import type { LocalEndpoint, Peer, Remote } from '../../../src/vxlan/index.js';
import { FakeTables, LINKS } from './fake-tables.js';

const SELF = parseAddress('192.168.0.1');
const vtep = (n: number) => parseAddress(`192.168.0.${n}`);
const mac = (n: number) => parseMac(`02:42:0a:00:00:0${n}`);
const address = (n: number) => parseAddress(`10.0.0.${n}`);
const id = (n: number) => String(n).repeat(64);
const links = { ...LINKS, ports: new Map([1, 2, 3].map((n) => [portLink(id(n)), 10 + n])) };

/** Few values, so that MACs and addresses collide, as they do while endpoints move. */
const few = fc.integer({ min: 1, max: 4 });
const peer = fc
  .record({ mac: few.map(mac), address: few.map(address), vtep: few.map(vtep) })
  .map(({ address: a, ...same }): Peer => ({ ...same, addresses: [a] }));
const local = fc
  .record({ n: fc.integer({ min: 1, max: 3 }), mac: few, address: few })
  .map(({ n, ...e }): LocalEndpoint => ({
    id: id(n),
    mac: mac(e.mac),
    addresses: [address(e.address)],
  }));
const source = fc
  .record({
    peers: fc.array(peer, { maxLength: 6 }),
    vteps: fc.uniqueArray(few.map(vtep)),
    endpoints: fc.uniqueArray(local, { maxLength: 3, selector: (e) => e.id }),
  })
  .map(({ peers, vteps, endpoints }): RowSource => ({
    vtep: SELF,
    mtu: 1450,
    endpoints,
    remote: { peers, vteps },
  }));

/** What there should be, worked out the slow way: one row for each MAC and for each address, the last to speak wins. */
function expected({ endpoints, remote }: RowSource, ports = links.ports): string[] {
  const tunnel = new Map<string, string>();
  const bridge = new Map<string, string>();
  const neighbors = new Map<string, string>();
  for (const p of remote!.peers) {
    if (p.vtep === SELF) continue;
    tunnel.set(p.mac, p.vtep);
    bridge.set(p.mac, 'vxlan0');
    for (const a of p.addresses) neighbors.set(a, p.mac);
  }
  for (const e of endpoints) {
    tunnel.delete(e.mac);
    bridge.set(e.mac, `port${ports.get(portLink(e.id))!}`);
    for (const a of e.addresses) neighbors.set(a, e.mac);
  }
  const flood = remote!.vteps.filter((v) => v !== SELF);
  return [
    ...flood.map((v) => `00:00:00:00:00:00 dev vxlan0 dst ${v} self permanent`),
    ...[...tunnel].map(([m, v]) => `${m} dev vxlan0 dst ${v} self permanent`),
    ...[...bridge].map(([m, port]) => `${m} dev ${port} master static`),
    ...[...neighbors].map(([a, m]) => `${a} lladdr ${m} permanent`),
  ].toSorted();
}

test('tables > go from any state to any other, by their own memory (D1)', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(source, { minLength: 1, maxLength: 5 }), async (states) => {
      const kernel = new FakeTables();
      const tables = new NetworkTables(kernel.conn);
      for (const [i, state] of states.entries()) {
        // Links go with their endpoints, and no ifindex comes twice.
        const ports = new Map(state.endpoints.map((e, n) => [portLink(e.id), 10 * (i + 1) + n]));
        kernel.unplugAll();
        const tally = new Tally();
        await tables.set(state, { ...links, ports }, false, tally);
        t.deepEqual(tally.errors, []);
        t.deepEqual(kernel.text(), expected(state, ports));
      }
    }),
  );
});

/** Peers by place in a list of all, so that one peer is one object in every state. */
const remotes = fc
  .record({
    all: fc.array(peer, { minLength: 1, maxLength: 8 }),
    states: fc.array(
      fc.record({
        places: fc.uniqueArray(fc.nat(7), { maxLength: 8 }),
        vteps: fc.uniqueArray(few.map(vtep)),
      }),
      { minLength: 2, maxLength: 6 },
    ),
  })
  .map(({ all, states }) =>
    states.map(({ places, vteps }): Remote => ({
      peers: places.filter((n) => n < all.length).map((n) => all[n]!),
      vteps,
    })),
  );

test('tables > take over what changed elsewhere as if all was set anew (D1)', async (t) => {
  await fc.assert(
    fc.asyncProperty(source, remotes, async ({ endpoints }, [first, ...others]) => {
      const kernel = new FakeTables();
      const tables = new NetworkTables(kernel.conn);
      const tally = new Tally();
      const at = (remote: Remote) => ({ vtep: SELF, mtu: 1450, endpoints, remote });
      await tables.set(at(first!), links, false, tally);
      let before = first!;
      for (const remote of others) {
        await tables.change(at(remote), before, links, tally);
        before = remote;
        t.deepEqual(tally.errors, []);
        t.deepEqual(kernel.text(), expected(at(remote)));
      }
    }),
  );
});

test('tables > send nothing for what is there already, remembered or seen', async (t) => {
  await fc.assert(
    fc.asyncProperty(source, async (state) => {
      const kernel = new FakeTables();
      await new NetworkTables(kernel.conn).set(state, links, false, new Tally());
      const { changes } = kernel;
      const after = new NetworkTables(kernel.conn);
      await after.observe(links);
      await after.set(state, links, true, new Tally());
      await after.set(state, links, false, new Tally());
      t.is(kernel.changes, changes);
    }),
  );
});

const junk = fc.oneof(
  fc
    .record({
      mac: few.map(mac),
      dst: few.map(vtep),
      port: fc.option(fc.constant(5555), { nil: undefined }),
      state: fc.constantFrom('permanent', 'dynamic'),
      isFlood: fc.boolean(),
    })
    .map(
      ({ isFlood, ...row }): FdbEntry =>
        ({
          ...row,
          mac: isFlood ? parseMac('00:00:00:00:00:00') : row.mac,
          ifindex: LINKS.vxlan,
          owner: 'self',
        }) as FdbEntry,
    ),
  fc
    .record({
      mac: few.map(mac),
      ifindex: fc.constantFrom(LINKS.vxlan, 11, 12, 13),
      state: fc.constantFrom('static', 'dynamic'),
    })
    .map((row): FdbEntry => ({ ...row, owner: 'master' }) as FdbEntry),
);

test('tables > once seen, whatever others put there is put right', async (t) => {
  await fc.assert(
    fc.asyncProperty(source, fc.array(junk, { maxLength: 6 }), async (state, rows) => {
      const kernel = new FakeTables();
      const seen = new Set<string>();
      for (const row of rows) {
        // The bridge has one row for a MAC, the tunnel one for each destination.
        const place = row.owner === 'master' ? row.mac : `${row.mac} ${row.dst} ${row.port}`;
        if (!seen.has(place)) kernel.put(row);
        seen.add(place);
      }
      const tables = new NetworkTables(kernel.conn);
      await tables.observe(links);
      const tally = new Tally();
      await tables.set(state, links, true, tally);
      t.deepEqual(tally.errors, []);
      t.deepEqual(kernel.text(), expected(state));
    }),
  );
});

test('tables > keep rows to other hosts until the peers are known, and rows of unattached ports until pruning', async (t) => {
  const kernel = new FakeTables();
  const one: LocalEndpoint = { id: id(1), mac: mac(1), addresses: [address(1)] };
  const remote = {
    vteps: [vtep(2)],
    peers: [{ id: id(2), mac: mac(2), addresses: [address(2)], vtep: vtep(2) }],
  };
  const all: RowSource = { vtep: SELF, mtu: 1450, endpoints: [one], remote };
  await new NetworkTables(kernel.conn).set(all, links, false, new Tally());
  const right = kernel.text();
  const after = new NetworkTables(kernel.conn);
  await after.observe(links);
  await after.set({ ...all, endpoints: [], remote: undefined }, links, false, new Tally());
  t.deepEqual(kernel.text(), right);
  await after.set({ ...all, endpoints: [] }, links, false, new Tally());
  t.deepEqual(kernel.text(), right);
  await after.set({ ...all, endpoints: [] }, links, true, new Tally());
  t.deepEqual(kernel.text(), expected({ ...all, endpoints: [] }));
});

test('tables > leave a permanent bridge row alone: it is a link of the host itself', async (t) => {
  const kernel = new FakeTables();
  kernel.put({ mac: mac(9), ifindex: LINKS.vxlan, owner: 'master', state: 'permanent' });
  const tables = new NetworkTables(kernel.conn);
  await tables.observe(links);
  const nobody = { vtep: SELF, mtu: 1450, endpoints: [], remote: { peers: [], vteps: [] } };
  await tables.set(nobody, links, true, new Tally());
  t.deepEqual(kernel.text(), ['02:42:0a:00:00:09 dev vxlan0 master permanent']);
});

test('tables > agree with news of their own doing, and with nothing else', async (t) => {
  const kernel = new FakeTables();
  const tables = new NetworkTables(kernel.conn);
  const one: LocalEndpoint = { id: id(1), mac: mac(1), addresses: [address(1)] };
  await tables.set(
    { vtep: SELF, mtu: 1450, endpoints: [one], remote: undefined },
    links,
    false,
    new Tally(),
  );
  const row = {
    ifindex: 11,
    mac: mac(1),
    owner: 'master',
    state: 'static',
    master: LINKS.bridge,
  } as const;
  const cases = [
    { event: { type: 'fdb', isGone: false, entry: row }, agrees: true },
    { event: { type: 'fdb', isGone: true, entry: row }, agrees: false },
    { event: { type: 'fdb', isGone: false, entry: { ...row, ifindex: 12 } }, agrees: false },
    { event: { type: 'fdb', isGone: false, entry: { ...row, mac: mac(2) } }, agrees: false },
    { event: { type: 'fdb', isGone: true, entry: { ...row, mac: mac(2) } }, agrees: true },
    {
      event: { type: 'fdb', isGone: false, entry: { ...row, state: 'permanent', mac: mac(2) } },
      agrees: true,
    },
    { event: { type: 'fdb', isGone: false, entry: { ...row, master: 99 } }, agrees: true },
  ] as const;
  for (const [i, c] of cases.entries()) t.is(tables.agrees(c.event, links), c.agrees, `case ${i}`);
});
