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

test('latest > a value that comes at any moment of the end of a job has its turn', async (t) => {
  for (let ticks = 0; ticks < 12; ticks += 1) {
    const seen: number[] = [];
    const latest = new Latest<number>(
      async (_, value) => void seen.push(value),
      () => undefined,
    );
    latest.set('a', 1);
    for (let i = 0; i < ticks; i += 1) await Promise.resolve();
    latest.set('a', 2);
    await latest.idle();
    t.is(seen.at(-1), 2, `after ${ticks} turns`);
  }
});

test('latest > no more jobs run at a time than may, and each has its turn', async (t) => {
  let running = 0;
  let most = 0;
  const done: string[] = [];
  const latest = new Latest<number>(
    async (key) => {
      running += 1;
      most = Math.max(most, running);
      await new Promise((resolve) => setImmediate(resolve));
      running -= 1;
      done.push(key);
      if (key === 'b') throw new Error('a failure gives its place back too');
    },
    () => undefined,
    { atOnce: 2 },
  );
  for (let round = 0; round < 2; round += 1) {
    for (const key of ['a', 'b', 'c', 'd', 'e']) latest.set(key, round);
    await latest.idle();
    t.deepEqual(done.splice(0), ['a', 'b', 'c', 'd', 'e']);
  }
  t.is(most, 2);
});
