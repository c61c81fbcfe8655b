import test from 'ava';
import fc from 'fast-check';
import { matchesGlob } from '../../../src/policy/glob.js';

test('policy > globs describe the whole name', (t) => {
  for (const [pattern, text, expected] of [
    ['web', 'web', true],
    ['web', 'web-1', false],
    ['web*', 'web', true],
    ['*', '', true],
    ['', 'a', false],
    ['?', '', false],
    ['a*b*c', 'a-b-b-c', true],
    ['a*b*c', 'a-b-b', false],
    ['a.c', 'abc', false],
    ['*-?', 'shop-web-1', true],
    ['*ab', 'aab', true],
  ] as const) {
    t.is(matchesGlob(pattern, text), expected, `${pattern} and ${text}`);
  }
});

test('policy > globs say what regular expressions say', (t) => {
  const letters = (...all: string[]) =>
    fc.array(fc.constantFrom(...all), { maxLength: 8 }).map((some) => some.join(''));
  fc.assert(
    fc.property(letters('a', 'b', '*', '?'), letters('a', 'b'), (pattern, text) => {
      const same = pattern.replaceAll('*', '.*').replaceAll('?', '.');
      t.is(matchesGlob(pattern, text), new RegExp(`^${same}$`).test(text));
    }),
    { numRuns: 500 },
  );
});
