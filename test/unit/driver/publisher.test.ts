import test from 'ava';
import { Publisher } from '../../../src/driver/publisher.js';

test('publisher > answers when a write that began after the call succeeded', async (t) => {
  let writes = 0;
  await using publisher = new Publisher(async () => void (writes += 1), t.fail);
  t.true(await publisher.publish('web', 1000));
  t.is(writes, 1);
  t.deepEqual(publisher.pending(), []);
});

test('publisher > changes during a write are covered by one more, not by one each', async (t) => {
  let writes = 0;
  let release = (): void => undefined;
  const gate = new Promise<void>((resolve) => (release = resolve));
  await using publisher = new Publisher(async () => {
    writes += 1;
    await gate;
  }, t.fail);
  const first = publisher.publish('web', 1000);
  while (writes === 0) await Promise.resolve();
  const others = [1, 2, 3].map(async () => publisher.publish('web', 1000));
  release();
  t.deepEqual(await Promise.all([first, ...others]), [true, true, true, true]);
  t.is(writes, 2);
});

test('publisher > goes on after the caller stopped waiting, until the store takes it', async (t) => {
  let away = true;
  const errors: string[] = [];
  const written = new Set<string>();
  await using publisher = new Publisher(
    async (network) => {
      if (away) throw new Error('away');
      written.add(network);
    },
    (network) => errors.push(network),
  );
  t.false(await publisher.publish('web', 5));
  t.deepEqual(publisher.pending(), ['web']);
  away = false;
  t.true(await publisher.publish('web', 5000));
  t.deepEqual([...written], ['web']);
  t.true(errors.length > 0);
});

test('publisher > closing ends the loop and the waits', async (t) => {
  const publisher = new Publisher(
    async () => {
      throw new Error('away');
    },
    () => undefined,
  );
  const waiting = publisher.publish('web', 60_000);
  await publisher[Symbol.asyncDispose]();
  t.false(await waiting);
});
