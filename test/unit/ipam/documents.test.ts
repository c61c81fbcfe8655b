import test from 'ava';
import fc from 'fast-check';
import {
  type Pool,
  addressOfKey,
  formatBlock,
  formatPool,
  keys,
  parseBlock,
  parsePool,
  parsePoolHost,
  poolIdOf,
  prefixOfPoolId,
} from '../../../src/ipam/documents.js';
import { IpamError } from '../../../src/ipam/index.js';
import { Layout } from '../../../src/ipam/layout.js';
import {
  type Address,
  addressFromBigInt,
  parseAddress,
  parsePrefix,
  prefixOf,
} from '../../../src/net/index.js';

const prefix = fc.oneof(
  fc
    .tuple(fc.nat({ max: 2 ** 32 - 1 }), fc.integer({ min: 0, max: 32 }))
    .map(([value, length]) => prefixOf(addressFromBigInt(4, BigInt(value)), length)),
  fc
    .tuple(fc.bigInt({ min: 0n, max: 2n ** 128n - 1n }), fc.integer({ min: 0, max: 128 }))
    .map(([value, length]) => prefixOf(addressFromBigInt(6, value), length)),
);

test('documents > a prefix has one pool id, and that one prefix', (t) => {
  fc.assert(fc.property(prefix, (p) => prefixOfPoolId(poolIdOf(p)) === p));
  for (const id of ['10.0.0.1-24', '10.0.0.0-33', '10.0.0.0/24', '', 'x', 'FD00::-64']) {
    t.is(prefixOfPoolId(id), undefined, id);
  }
});

test('documents > an address is the last part of its block’s key', (t) => {
  for (const text of ['10.0.0.8', 'fd00::8', '::']) {
    const address = parseAddress(text);
    t.is(addressOfKey(keys.block('pool', address)), address);
  }
  t.is(addressOfKey('blocks/p/10.0.0.08'), undefined);
  t.is(addressOfKey('blocks/p/'), undefined);
});

const whole: Pool = {
  id: '10.0.0.0-24',
  prefix: parsePrefix('10.0.0.0/24'),
  range: parsePrefix('10.0.0.128/25'),
  network: 'web',
  gateway: parseAddress('10.0.0.1'),
  aux: [parseAddress('10.0.0.2')],
  createdBy: 'host-a',
  blockSize: 8,
  settled: true,
  closing: { by: 'host-b', leaving: 'host-a' },
};

test('documents > a pool comes back as it was', (t) => {
  t.deepEqual(parsePool(keys.pool(whole.id), formatPool(whole)), whole);
});

const bent: readonly (readonly [string, object])[] = [
  ['another prefix', { prefix: '10.0.1.0/24' }],
  ['a gateway outside', { gateway: '10.0.1.1' }],
  ['a gateway that is spelt differently', { gateway: '10.0.0.01' }],
  ['an aux address outside', { aux: ['10.0.1.1'] }],
  ['a range outside', { range: '10.0.1.0/25' }],
  ['a range that is larger', { range: '10.0.0.0/16' }],
  ['an odd block size', { blockSize: 12 }],
  ['another version', { v: 2 }],
  ['a network that is no name', { network: '../x' }],
];
for (const [title, change] of bent) {
  test(`documents > a pool with ${title} is not believed`, (t) => {
    const document: unknown = { ...(JSON.parse(formatPool(whole)) as object), ...change };
    t.throws(() => parsePool(keys.pool(whole.id), JSON.stringify(document)), {
      instanceOf: IpamError,
      code: 'BAD_DOCUMENT',
    });
  });
}

const layout = new Layout(whole);
const base = parseAddress('10.0.0.16');
const members = new Set(layout.members(base));

test('documents > a block comes back as it was', (t) => {
  const [a, b, c, d] = [...members] as [Address, Address, Address, Address];
  const block = {
    owner: 'host-a',
    reserve: new Set([a, b]),
    taken: new Map([[c, { host: 'host-b', since: 5 }]]),
    resting: new Map([[d, 7]]),
  };
  t.deepEqual(parseBlock(keys.block(whole.id, base), formatBlock(block), members), block);
});

const hostile = [
  '{"v":1,"reserve":["10.0.0.16"],"taken":{},"resting":{}}',
  '{"v":1,"host":"a","reserve":["10.0.0.16"],"taken":{"10.0.0.16":{"host":"b","since":1}},"resting":{}}',
  '{"v":1,"reserve":[],"taken":{"__proto__":{"host":"b","since":1}},"resting":{}}',
  '{"v":1,"reserve":[],"taken":{"10.0.0.99":{"host":"b","since":1}},"resting":{}}',
  '{"v":1,"reserve":[],"taken":{"10.0.0.16":{"host":"b/../c","since":1}},"resting":{}}',
  '{"v":1,"reserve":[],"taken":{},"resting":{"10.0.0.16":"soon"}}',
];
for (const text of hostile) {
  test(`documents > the block ${text} is not believed`, (t) => {
    t.throws(() => parseBlock('blocks/p/10.0.0.16', text, members), { code: 'BAD_DOCUMENT' });
  });
}

test('documents > nothing that is in the store makes a parser throw anything but BAD_DOCUMENT', (t) => {
  const text = fc.oneof(
    fc.string(),
    fc.json(),
    fc.jsonValue().map((v) => JSON.stringify(v)),
  );
  const parsers = [
    (value: string) => parsePool(keys.pool(whole.id), value),
    (value: string) => parsePoolHost('pool-hosts/p/h', value),
    (value: string) => parseBlock('blocks/p/b', value, members),
  ];
  fc.assert(
    fc.property(text, (value) => {
      for (const parse of parsers) {
        try {
          parse(value);
        } catch (error) {
          if (!(error instanceof IpamError) || error.code !== 'BAD_DOCUMENT') throw error;
        }
      }
    }),
  );
  t.pass();
});
