import test from 'ava';
import { Latest } from '../../../src/daemon/latest.js';

test('latest > a slow job sees the first and the last value of a burst, in order, and a failure stops nothing', async (t) => {
  const seen: string[] = [];
  const errors: string[] = [];
  const latest = new Latest<number>(
    async (key, value) => {
      await new Promise((resolve) => setImmediate(resolve));
      seen.push(`${key}${value}`);
      if (value === 1) throw new Error('first failed');
    },
    (key) => errors.push(key),
  );
  for (const value of [1, 2, 3, 4]) latest.set('a', value);
  latest.set('b', 9);
  await latest.idle();
  t.deepEqual(seen, ['a1', 'b9', 'a4']);
  t.deepEqual(errors, ['a']);
  latest.set('a', 5);
  await latest.idle();
  t.is(seen.at(-1), 'a5');
});
