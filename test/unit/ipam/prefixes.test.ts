import test from 'ava';
import fc from 'fast-check';
import { chosenLength, choosePrefix, obstacleOf } from '../../../src/ipam/prefixes.js';
import {
  addressFromBigInt,
  type Prefix,
  parsePrefix,
  prefixOf,
  prefixesOverlap,
  rangeOf,
} from '../../../src/net/index.js';

const prefix = (text: string): Prefix => parsePrefix(text);

const v4 = fc
  .tuple(fc.nat({ max: 2 ** 32 - 1 }), fc.integer({ min: 4, max: 32 }))
  .map(([value, length]) => prefixOf(addressFromBigInt(4, BigInt(value)), length));

test('prefixes > a chosen pool lies in a range, overlaps nothing, and is found when there is one', (t) => {
  const range = prefix('10.192.0.0/14');
  const inside = fc
    .tuple(fc.nat({ max: 2 ** 18 - 1 }), fc.integer({ min: 16, max: 30 }))
    .map(([offset, length]) =>
      prefixOf(addressFromBigInt(4, rangeOf(range).first + BigInt(offset)), length),
    );
  fc.assert(
    fc.property(
      fc.array(fc.oneof(inside, v4), { maxLength: 40 }),
      fc.double({ min: 0, max: 0.999, noNaN: true }),
      (obstacles, start) => {
        const taken = obstacles.map(rangeOf);
        const chosen = choosePrefix({ ranges: [range], family: 4, taken, start });
        if (chosen === undefined) {
          for (let i = 0n; i < 64n; i += 1n) {
            const address = addressFromBigInt(4, rangeOf(range).first + i * 4096n);
            const candidate = prefixOf(address, 20);
            t.true(obstacles.some((o) => prefixesOverlap(o, candidate)));
          }
        } else {
          t.true(prefixesOverlap(chosen, range));
          t.false(obstacles.some((o) => prefixesOverlap(o, chosen)));
        }
      },
    ),
  );
});

test('prefixes > the second range is for when the first has no room', (t) => {
  const ranges = [prefix('10.0.0.0/24'), prefix('fd00::/48'), prefix('10.9.0.0/16')];
  const choose = (family: 4 | 6, ...taken: string[]) =>
    choosePrefix({ ranges, family, taken: taken.map((p) => rangeOf(prefix(p))), start: 0 });
  t.is(choose(4), prefix('10.0.0.0/28'));
  t.is(choose(4, '10.0.0.0/25'), prefix('10.0.0.128/28'));
  t.is(choose(4, '10.0.0.0/24'), prefix('10.9.0.0/20'));
  t.is(choose(4, '10.0.0.0/8'), undefined);
  t.is(choose(6, '10.0.0.0/8', 'fd00::/63'), prefix('fd00:0:0:2::/64'));
});

const lengths = [
  ['10.0.0.0/8', 20],
  ['10.0.0.0/16', 20],
  ['10.0.0.0/18', 22],
  ['10.0.0.0/24', 28],
  ['10.0.0.0/30', 30],
  ['fd00::/48', 64],
  ['fd00::/64', 64],
  ['fd00::/96', 96],
] as const;
for (const [range, length] of lengths) {
  test(`prefixes > pools of ${range} are /${length}`, (t) => {
    t.is(chosenLength(prefix(range)), length);
  });
}

test('prefixes > the default route is no obstacle, in one piece or in two', (t) => {
  const occupied = ['0.0.0.0/0', '0.0.0.0/1', '128.0.0.0/1', '10.0.0.0/8'].map((p) => ({
    prefix: prefix(p),
    what: p,
  }));
  t.is(obstacleOf(prefix('10.1.0.0/16'), occupied)?.what, '10.0.0.0/8');
  t.is(obstacleOf(prefix('172.16.0.0/16'), occupied), undefined);
});
