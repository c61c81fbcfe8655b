import test from 'ava';
import fc from 'fast-check';
import { Layout, blockSizeFor } from '../../../src/ipam/layout.js';
import {
  type Prefix,
  addressFromBigInt,
  familyOf,
  parsePrefix,
  prefixContains,
  prefixOf,
  rangeOf,
} from '../../../src/net/index.js';

function layoutOf(prefix: Prefix, range?: Prefix): Layout {
  return new Layout({ prefix, ...(range && { range }), blockSize: blockSizeFor(prefix, range) });
}

const v4 = fc
  .tuple(fc.nat({ max: 2 ** 32 - 1 }), fc.integer({ min: 20, max: 32 }))
  .map(([value, length]) => prefixOf(addressFromBigInt(4, BigInt(value)), length));
const v6 = fc
  .tuple(fc.bigInt({ min: 0n, max: 2n ** 128n - 1n }), fc.integer({ min: 118, max: 128 }))
  .map(([value, length]) => prefixOf(addressFromBigInt(6, value), length));

test('layout > every usable address is in exactly one block, and in the one that it is said to be in', (t) => {
  fc.assert(
    fc.property(fc.oneof(v4, v6), (prefix) => {
      const layout = layoutOf(prefix);
      const seen = new Set<string>();
      for (const base of layout.bases()) {
        t.is(layout.baseOf(base), base);
        for (const address of layout.members(base)) {
          t.false(seen.has(address), `${address} twice in ${prefix}`);
          t.true(layout.isUsable(address), `${address} in ${prefix}`);
          t.is(layout.baseOf(address), base);
          seen.add(address);
        }
      }
      const { first, last, family } = rangeOf(prefix);
      const size = Number(last - first + 1n);
      const unusable = size < 4 ? 0 : family === 4 ? 2 : 1;
      t.is(seen.size, size - unusable, prefix);
      t.is(layout.chosenSize, seen.size);
    }),
    { numRuns: 30 },
  );
});

test('layout > what is chosen lies in the range', (t) => {
  fc.assert(
    fc.property(v4, fc.integer({ min: 20, max: 32 }), fc.nat(4095), (prefix, length, offset) => {
      const { first, last } = rangeOf(prefix);
      const inside = addressFromBigInt(4, first + (BigInt(offset) % (last - first + 1n)));
      const range = prefixOf(inside, Math.max(length, Number(prefix.split('/')[1])));
      const layout = layoutOf(prefix, range);
      let count = 0;
      for (const base of layout.bases()) {
        for (const address of layout.chosenFrom(base)) {
          t.true(prefixContains(range, address));
          count += 1;
        }
      }
      t.is(count, Math.max(0, layout.chosenSize));
    }),
    { numRuns: 30 },
  );
});

test('layout > a base that is none has no members', (t) => {
  const layout = layoutOf(parsePrefix('10.0.0.0/24'));
  for (const base of ['10.0.0.1', '10.0.1.0', 'fd00::']) {
    t.deepEqual(layout.members(base as never), [], base);
  }
});

test('layout > an IPv6 pool is chosen from at its beginning, and large enough there', (t) => {
  const layout = layoutOf(parsePrefix('fd00:1::/64'));
  const bases = [...layout.bases()];
  t.is(bases.length, 1024);
  t.is(bases.at(-1), 'fd00:1::ffc0' as never);
  t.is(layout.chosenSize, 65_535);
  t.true(bases.every((base) => familyOf(base) === 6));
});

const shapes = [
  ['10.0.0.0/8', 64, 8],
  ['10.0.0.0/16', 64, 8],
  ['10.0.0.0/20', 16, 8],
  ['10.0.0.0/22', 8, 4],
  ['10.0.0.0/24', 8, 4],
  ['10.0.0.0/26', 4, 2],
  ['10.0.0.0/28', 4, 0],
  ['10.0.0.0/31', 2, 0],
  ['10.0.0.0/32', 1, 0],
  ['fd00::/64', 64, 8],
] as const;
for (const [prefix, blockSize, reserve] of shapes) {
  test(`layout > ${prefix} has blocks of ${blockSize} and reserves of ${reserve}`, (t) => {
    t.is(blockSizeFor(parsePrefix(prefix), undefined), blockSize);
    t.is(layoutOf(parsePrefix(prefix)).reserveSize, reserve);
  });
}
