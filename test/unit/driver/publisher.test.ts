import { setTimeout as delay } from 'node:timers/promises';
import test from 'ava';
import { Publisher } from '../../../src/driver/publisher.js';
import { StoreError } from '../../../src/store/index.js';

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

test('publisher > while the store is away one network is tried for all, and all are written when it is back', async (t) => {
  let isAway = true;
  const tried = new Map<string, number>();
  const written = new Set<string>();
  await using publisher = new Publisher(
    async (network) => {
      tried.set(network, (tried.get(network) ?? 0) + 1);
      if (isAway) throw new StoreError({ code: 'UNAVAILABLE', store: 'consul' }, 'away');
      written.add(network);
    },
    () => undefined,
  );
  const networks = ['a', 'b', 'c', 'd'];
  const waits = networks.map(async (network) => publisher.publish(network, 60_000));
  while ((tried.get('a') ?? 0) < 5) await delay(5);
  t.deepEqual([tried.get('b'), tried.get('c'), tried.get('d')], [1, 1, 1]);
  isAway = false;
  t.deepEqual(await Promise.all(waits), [true, true, true, true]);
  t.deepEqual([...written].toSorted(), networks);
});

test('publisher > a network that is refused holds no other one up: the store has answered', async (t) => {
  let isAway = true;
  await using publisher = new Publisher(
    async (network) => {
      if (isAway) throw new StoreError({ code: 'UNAVAILABLE', store: 'consul' }, 'away');
      if (network === 'refused') throw new Error('its VNI is taken');
    },
    () => undefined,
  );
  const refused = publisher.publish('refused', 60_000);
  const other = publisher.publish('web', 5000);
  await delay(20);
  isAway = false;
  t.true(await other);
  await publisher[Symbol.asyncDispose]();
  t.false(await refused);
});
