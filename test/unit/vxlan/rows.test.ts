import test from 'ava';
import { parseAddress, parseMac } from '../../../src/net/index.js';
import { rowsOf } from '../../../src/vxlan/rows.js';
import { LINKS } from './fake-tables.js';

const links = { ...LINKS, ports: new Map() };
const vtep = parseAddress('192.168.0.2');
const source = { vtep: parseAddress('192.168.0.1'), mtu: 1450, endpoints: [] };
const peer = {
  id: 'a'.repeat(64),
  mac: parseMac('02:42:0a:00:00:01'),
  addresses: [parseAddress('10.0.0.1'), parseAddress('fd00::1')],
  vtep,
};

test('rowsOf > has no IPv6 neighbors where the MTU is too small for IPv6', (t) => {
  const remote = { peers: [peer], vteps: [] };
  const addresses = (mtu: number) =>
    rowsOf({ ...source, mtu, remote }, links).neighbors.map((n) => n.address);
  t.deepEqual(addresses(1280), ['10.0.0.1', 'fd00::1']);
  t.deepEqual(addresses(1279), ['10.0.0.1']);
});

test('rowsOf > refuses peers whose MAC is a group or nobody, and keeps the others', (t) => {
  for (const bad of [
    '00:00:00:00:00:00',
    'ff:ff:ff:ff:ff:ff',
    '01:00:5e:00:00:01',
    '33:33:00:00:00:01',
  ]) {
    const remote = { peers: [{ ...peer, mac: parseMac(bad) }, peer], vteps: [] };
    const rows = rowsOf({ ...source, remote }, links);
    t.deepEqual(
      rows.refused.map((e) => e.code),
      ['INVALID_PEER'],
      bad,
    );
    t.deepEqual(
      new Set([...rows.tunnels, ...rows.bridge].map((row) => row.mac)),
      new Set([peer.mac]),
      bad,
    );
  }
});

test('rowsOf > does not believe what is said of ourselves', (t) => {
  const remote = { peers: [{ ...peer, vtep: source.vtep }], vteps: [source.vtep] };
  t.deepEqual(rowsOf({ ...source, remote }, links), {
    flood: [],
    tunnels: [],
    bridge: [],
    neighbors: [],
    refused: [],
  });
});

test('rowsOf > has neighbors but no bridge row for an endpoint whose link is lost', (t) => {
  const rows = rowsOf({ ...source, endpoints: [peer], remote: undefined }, links);
  t.is(rows.bridge.length, 0);
  t.is(rows.neighbors.length, 2);
});
