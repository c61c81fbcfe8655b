import test from 'ava';
import fc from 'fast-check';
import { Address6 } from 'ip-address';
import {
  type Address,
  addressFromBigInt,
  addressFromBytes,
  addressToBigInt,
  addressToBytes,
  macFromAddress,
  macFromBytes,
  macToBytes,
  parseAddress,
  parseAddressWithLength,
  parseMac,
  parsePrefix,
  parseVni,
  prefixContains,
  prefixesOverlap,
  rangeOf,
} from '../../../src/net/index.js';

const v4 = fc.bigInt({ min: 0n, max: 0xff_ff_ff_ffn });
const v6 = fc.bigInt({ min: 0n, max: (1n << 128n) - 1n });

test('net > an address survives text, number and octets', (t) => {
  fc.assert(
    fc.property(
      fc.oneof(
        v4.map((v) => [4, v] as const),
        v6.map((v) => [6, v] as const),
      ),
      ([family, value]) => {
        const address = addressFromBigInt(family, value);
        t.is(parseAddress(address), address, address);
        t.is(addressToBigInt(address), value, address);
        t.is(addressFromBytes(addressToBytes(address)), address, address);
      },
    ),
  );
});

test('net > IPv6 is written as ip-address writes it, with any run of zeros', (t) => {
  const group = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff }));
  fc.assert(
    fc.property(fc.array(group, { minLength: 8, maxLength: 8 }), (groups) => {
      const text = groups.map((g) => g.toString(16)).join(':');
      const expected = new Address6(text).correctForm();
      const octets = Uint8Array.from(groups.flatMap((g) => [g >> 8, g & 255]));
      t.is(addressFromBytes(octets), expected as Address);
      t.is(parseAddress(text), expected as Address);
      t.deepEqual(addressToBytes(expected as Address), octets, expected);
    }),
    { numRuns: 1000 },
  );
});

test('net > a MAC survives octets', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 6, maxLength: 6 }), (octets) => {
      t.deepEqual(macToBytes(macFromBytes(octets)), octets);
    }),
  );
});

for (const text of [
  '',
  '10.0.0',
  '10.0.0.256',
  '10.0.0.1/24',
  'fe80::1%eth0',
  '1::2::3',
  'web',
  ' 10.0.0.1',
  '010.0.0.1x',
]) {
  test(`net > "${text}" is not an address`, (t) => {
    t.throws(() => parseAddress(text), { code: 'INVALID_ADDRESS' });
  });
}

test('net > one address has one text', (t) => {
  t.is(parseAddress('FD00:0:0::1'), parseAddress('fd00::1'));
});

for (const text of [
  '10.0.0.0',
  '10.0.0.0/33',
  '10.0.0.0/08',
  '10.0.0.0/-1',
  'fd00::/129',
  '/24',
  '10.0.0.0/24/8',
]) {
  test(`net > "${text}" is not a prefix`, (t) => {
    t.throws(() => parsePrefix(text), { code: 'INVALID_PREFIX' });
  });
}

test('net > a prefix clears host bits, an address with length keeps them', (t) => {
  t.is(parsePrefix('10.1.2.3/16') as string, '10.1.0.0/16');
  t.deepEqual({ ...parseAddressWithLength('10.1.2.3/16') } as object, {
    address: '10.1.2.3',
    prefixLength: 16,
  });
  t.deepEqual(rangeOf(parsePrefix('10.0.0.0/30')), {
    family: 4,
    first: 0x0a_00_00_00n,
    last: 0x0a_00_00_03n,
  });
});

test('net > prefixes overlap exactly when one holds the first address of the other', (t) => {
  const prefix = fc
    .tuple(v4, fc.integer({ min: 0, max: 32 }))
    .map(([v, l]) => parsePrefix(`${addressFromBigInt(4, v)}/${l}`));
  fc.assert(
    fc.property(prefix, prefix, (a, b) => {
      const expected =
        prefixContains(a, addressFromBigInt(4, rangeOf(b).first)) ||
        prefixContains(b, addressFromBigInt(4, rangeOf(a).first));
      t.is(prefixesOverlap(a, b), expected, `${a} ${b}`);
    }),
  );
  t.false(prefixesOverlap(parsePrefix('0.0.0.0/0'), parsePrefix('::/0')), 'families never overlap');
});

test('net > a MAC from an address is unicast, local and the same each time', (t) => {
  t.is(macFromAddress(parseAddress('10.0.0.7')) as string, '02:42:0a:00:00:07');
  t.is(macFromAddress(parseAddress('fd00::7')), macFromAddress(parseAddress('fd00::7')));
  t.not(macFromAddress(parseAddress('fd00::7')), macFromAddress(parseAddress('fd00::8')));
});

test('net > a MAC has one text and six octets', (t) => {
  t.is(parseMac('02-42-AA-00-00-01') as string, '02:42:aa:00:00:01');
  t.throws(() => parseMac('02:42:aa:00:00'), { code: 'INVALID_MAC' });
});

test('net > a VNI is 24 bits and not zero', (t) => {
  t.is(Number(parseVni(0xff_ff_ff)), 0xff_ff_ff);
  for (const bad of [0, -1, 0x1_00_00_00, 1.5, Number.NaN])
    t.throws(() => parseVni(bad), { code: 'INVALID_VNI' }, String(bad));
});
