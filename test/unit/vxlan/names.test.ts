import test from 'ava';
import { parseAddress, parseMac, parseVni } from '../../../src/net/index.js';
import {
  containerLink,
  isContainerLink,
  isPortLink,
  linkMac,
  markOf,
  netnsName,
  networkOfNetns,
  parseMark,
  portLink,
} from '../../../src/vxlan/names.js';
import { linkLocalOf } from '../../../src/vxlan/anti-spoof.js';
import { overlayMtu } from '../../../src/vxlan/index.js';

const endpoint = '0123456789abcdef'.repeat(4);

test('names > lead there and back', (t) => {
  t.is(networkOfNetns(netnsName('00112233aabb')), '00112233aabb');
  t.is(containerLink(endpoint), 'weft0123456789a');
  t.is(portLink(endpoint), 'port0123456789a');
  t.true(isContainerLink(containerLink(endpoint)) && isPortLink(portLink(endpoint)));
  t.deepEqual(parseMark(markOf('00112233aabb', endpoint)), {
    networkId: '00112233aabb',
    endpointId: endpoint,
  });
  t.deepEqual(parseMark(markOf('00112233aabb')), { networkId: '00112233aabb' });
});

test('names > fit a link', (t) => {
  for (const name of [containerLink(endpoint), portLink(endpoint)]) t.true(name.length <= 15, name);
});

test('names > refuse ids that could name something else', (t) => {
  for (const id of ['', '../../../etc', '00112233aab', '00112233AABB', '00112233aabb\n']) {
    t.throws(() => netnsName(id), { code: 'INVALID_ID' }, id);
    t.throws(() => portLink(id), { code: 'INVALID_ID' }, id);
  }
});

test('names > are not taken for ours when they are not', (t) => {
  for (const name of ['weft-', 'weft-00112233aabbcc', 'xweft-00112233aabb', 'weft-00112233aabg']) {
    t.is(networkOfNetns(name), undefined, name);
  }
  for (const alias of [
    undefined,
    '',
    'weft',
    'weft:x',
    'weft:00112233aabb:x',
    ' weft:00112233aabb',
  ]) {
    t.is(parseMark(alias), undefined, alias);
  }
});

test('linkMac > is the same each time, and its own for each network and host', (t) => {
  const vtep = parseAddress('192.168.0.1');
  const macs = [
    linkMac('vxlan0', vtep, parseVni(1)),
    linkMac('br0', vtep, parseVni(1)),
    linkMac('vxlan0', vtep, parseVni(2)),
    linkMac('vxlan0', parseAddress('192.168.0.2'), parseVni(1)),
  ];
  t.is(new Set(macs).size, macs.length);
  t.is(linkMac('vxlan0', vtep, parseVni(1)), macs[0]!);
  for (const mac of macs) t.regex(mac, /^0e:/);
});

test('linkLocalOf > is what a link gives itself', (t) => {
  t.is(linkLocalOf(parseMac('02:42:0a:00:00:01')), parseAddress('fe80::42:aff:fe00:1'));
  t.is(linkLocalOf(parseMac('00:00:00:00:00:00')), parseAddress('fe80::200:ff:fe00:0'));
});

test("overlayMtu > leaves room for the headers of the underlay's family", (t) => {
  t.is(overlayMtu(1500, 4), 1450);
  t.is(overlayMtu(1500, 6), 1430);
});
