import test from 'ava';
import { parseAddress, parseMac } from '../../../src/net/index.js';
import { array, attrs, list, nested, union } from '../../../src/netlink/attr.js';
import {
  type Value,
  be16,
  be64,
  bool8,
  bytes,
  decode,
  encode,
  flag,
  i32,
  rest,
  string,
  u16,
  u32,
  u64,
  u8,
} from '../../../src/netlink/codec.js';
import { address, mac } from '../../../src/netlink/domain.js';
import { NetlinkError } from '../../../src/netlink/errors.js';
import { headed, skip, struct } from '../../../src/netlink/struct.js';

const inner = attrs('INNER', { id: [1, u32], port: [15, be16], gbp: [23, flag] });
const kinds = union('KIND', { kind: 1, data: 2 }, { vxlan: inner, veth: rest });
const outer = attrs('OUTER', {
  name: [3, string],
  mtu: [4, u32],
  learning: [7, bool8],
  mac: [8, mac],
  address: [9, address],
  big: [10, be64],
  stats: [11, u64],
  cookie: [12, bytes(3)],
  index: [13, i32],
  names: [53, list(string)],
  props: [54, nested(array('PROPS', 53, string))],
  queue: [55, array('QUEUE', 'index', inner)],
  inner: [56, nested(inner)],
  kind: [57, kinds],
});
const unhex = (text: string) => Buffer.from(text.replaceAll(/\s/g, ''), 'hex');

const full: Value<typeof outer> = {
  name: 'vxlan0',
  mtu: 1450,
  learning: false,
  mac: parseMac('02:42:0a:00:00:01'),
  address: parseAddress('fd00::1'),
  big: 2n ** 63n,
  stats: 1n,
  cookie: Uint8Array.of(1, 2, 3),
  index: -1,
  names: ['a', 'bc'],
  props: ['x'],
  queue: [{ id: 1 }, { id: 2 }],
  inner: { id: 7, port: 4789, gbp: true },
  kind: { kind: 'vxlan', data: { id: 5 } },
};

test('attrs > reads back what it wrote', (t) => {
  t.deepEqual(decode(outer, encode(outer, full)), full);
});

test('attrs > writes length, type, payload and padding as the kernel does', (t) => {
  t.deepEqual(
    encode(outer, { name: 'ab', learning: true }),
    unhex('07000300616200000500070001000000'),
  );
  t.deepEqual(encode(inner, { port: 4789, gbp: true }), unhex('06000f0012b5000004001700'));
});

test('attrs > sets NLA_F_NESTED where the table says nested, and nowhere else', (t) => {
  t.deepEqual(encode(outer, { inner: { id: 1 } }), unhex('0c003880 0800010001000000'));
  t.deepEqual(
    encode(outer, { kind: { kind: 'vxlan' } }),
    unhex('10003900 0a00010076786c616e000000'),
    'a union is not nested unless it says so',
  );
});

test('attrs > leaves out what is undefined', (t) => {
  t.is(encode(outer, { name: undefined, names: [] }).length, 0);
});

test('attrs > ignores unknown types, masks type flags, keeps the last of a doubled type', (t) => {
  t.deepEqual(decode(inner, unhex('0800e70301000000 0800014001000000')), { id: 1 });
  t.deepEqual(decode(inner, unhex('0800010001000000 0800010002000000')), { id: 2 });
});

test('attrs > accepts a last attribute without its padding', (t) => {
  t.deepEqual(decode(inner, unhex('06000f0012b5')), { port: 4789 });
});

test('union > keeps the octets of a kind it has no table for', (t) => {
  const value = { kind: 'other', name: 'macsec', data: Uint8Array.of(1, 2) } as const;
  t.deepEqual(decode(kinds, encode(kinds, value)), value);
});

test('union > a payload without a kind is malformed, a kind without a payload is not', (t) => {
  t.throws(() => decode(kinds, unhex('04000200')), { instanceOf: NetlinkError, code: 'MALFORMED' });
  t.deepEqual(decode(kinds, encode(kinds, { kind: 'vxlan' })), { kind: 'vxlan' });
});

test('union > names the field of its payload in errors and at offsets', (t) => {
  const wrong = { kind: 'vxlan', data: { port: -1 } } as const;
  const error = t.throws(() => encode(kinds, wrong), { instanceOf: NetlinkError });
  t.like(error.detail, { code: 'UNENCODABLE', table: 'INNER', field: 'port' });
  const octets = encode(kinds, { kind: 'vxlan', data: { id: 1, port: 2 } });
  t.is(kinds.locate!(octets, 0, octets.length, octets.length - 4), 'INNER.port');
  t.is(kinds.locate!(octets, 0, octets.length, 0), 'KIND.kind');
});

const head = struct('ndmsg', { family: u8, pad: skip(3), index: i32, state: u16, flags: u8 });

test('struct > keeps padding out of the value and zero on the wire', (t) => {
  const value = head.of({ family: 7, index: 5 });
  t.deepEqual(value, { family: 7, index: 5, state: 0, flags: 0 });
  t.deepEqual(encode(head, value), unhex('07000000 05000000 000000'));
});

test('headed > is a struct with attributes behind it', (t) => {
  const c = headed(struct('h', { family: u8, pad: skip(3) }), inner);
  const value = { head: { family: 2 }, attrs: { id: 9 } };
  t.deepEqual(decode(c, encode(c, value)), value);
  t.throws(() => decode(c, unhex('0200')), { instanceOf: NetlinkError, code: 'MALFORMED' });
});

const malformedCases = [
  { name: 'runs past the end', octets: '0c00010001000000', table: 'INNER', type: 1, offset: 0 },
  { name: 'is shorter than its header', octets: '03000100', table: 'INNER', type: 1, offset: 0 },
  { name: 'has no length at all', octets: '00000000', table: 'INNER', type: 0, offset: 0 },
  { name: 'has the wrong length', octets: '04001700060001000100', table: 'INNER', type: 1 },
  { name: 'is a flag and has a payload', octets: '0500170001000000', table: 'INNER', type: 23 },
];
for (const c of malformedCases) {
  test(`attrs > names table, type and offset when an attribute ${c.name}`, (t) => {
    const error = t.throws(() => decode(inner, unhex(c.octets)), { instanceOf: NetlinkError });
    t.like(error.detail, { code: 'MALFORMED', table: c.table, type: c.type });
    if (c.offset !== undefined) t.like(error.detail, { offset: c.offset });
  });
}

test('attrs > names the innermost table of a malformed nest', (t) => {
  const octets = unhex('0a003880 060001000100');
  const error = t.throws(() => decode(outer, octets), { instanceOf: NetlinkError });
  t.is(error.message, 'INNER attribute 1 (id) at offset 8: 2 octets where 4 belong');
});

test('attrs > refuses values that the wire cannot carry, and says which field', (t) => {
  const cases = [
    { value: { mtu: 2 ** 32 }, field: 'mtu' },
    { value: { name: 'a\0b' }, field: 'name' },
    { value: { cookie: Uint8Array.of(1) }, field: 'cookie' },
    { value: { inner: { port: 70_000 } }, field: 'port' },
    { value: { names: ['x'.repeat(70_000)] }, field: 'names' },
    { value: { typo: 1 }, field: 'typo' },
  ];
  for (const c of cases) {
    const error = t.throws(() => encode(outer, c.value), { instanceOf: NetlinkError }, c.field);
    t.like(error.detail, { code: 'UNENCODABLE', field: c.field }, c.field);
  }
});

test('locate > names the attribute at an offset, through nests', (t) => {
  const octets = encode(outer, full);
  const at = octets.indexOf(encode(inner, full.inner!)) + 8; // the port inside "inner"
  t.is(outer.locate!(octets, 0, octets.length, at), 'INNER.port');
  t.is(outer.locate!(octets, 0, octets.length, 0), 'OUTER.name');
  t.is(outer.locate!(octets, 0, octets.length, octets.length), undefined);
  t.is(outer.nameOf!(4), 'OUTER.mtu');
});
