import test from 'ava';
import { KeyGuard, type Mend } from '../../../src/cluster/index.js';
import { EmbeddedStore, type Store } from '../../../src/store/index.js';
import { until } from '../../helpers/cluster.js';
import { FlakyStore } from '../../helpers/flaky-store.js';

async function write(store: Store, ...keys: readonly string[]): Promise<void> {
  await store.transact(keys.map((key) => ({ op: 'set', key, value: '{}' })));
}

/** A guard of `keys`, which it writes again, and what it said. */
function guardOf(store: Store, keys: () => readonly string[]) {
  const said: string[][] = [];
  const errors: unknown[] = [];
  const guard = new KeyGuard({
    store,
    keys: () => new Map(keys().map((key): [string, Mend] => [key, async () => write(store, key)])),
    hosts: () => 3,
    onLooked: (gone) => said.push([...gone]),
    onError: (error) => errors.push(error),
  });
  return { guard, said, errors };
}

test('key-guard > puts back what is gone, and says what', async (t) => {
  const store = EmbeddedStore.memory();
  await write(store, 'a', 'b', 'c');
  const { guard, said } = guardOf(store, () => ['a', 'b', 'c']);
  await guard.look();
  await store.transact([
    { op: 'delete', key: 'a' },
    { op: 'delete', key: 'c' },
  ]);
  await guard.look();
  t.deepEqual(await store.absent(['a', 'b', 'c']), []);
  await guard.look();
  t.deepEqual(said, [[], ['a', 'c'], []]);
});

test('key-guard > leaves alone what this host gives up, or writes, while it looks', async (t) => {
  const store = EmbeddedStore.memory();
  const looks = [['given-up', 'late'], ['late']];
  const { guard, said } = guardOf(store, () => looks.shift() ?? []);
  const look = guard.look();
  await write(store, 'late');
  await look;
  t.deepEqual(said, [[]]);
  t.deepEqual(await store.absent(['given-up']), ['given-up']);
});

test('key-guard > one that puts back several keys is called once', async (t) => {
  const store = EmbeddedStore.memory();
  let calls = 0;
  const mend = async (): Promise<void> => void (calls += 1);
  const guard = new KeyGuard({
    store,
    keys: () => new Map(['a', 'b', 'c'].map((key) => [key, mend])),
    hosts: () => 1,
    onLooked: () => undefined,
    onError: () => undefined,
  });
  await guard.look();
  t.is(calls, 1);
});

test('key-guard > of many keys each look takes some, and none is left out', async (t) => {
  const store = EmbeddedStore.memory();
  const keys = Array.from({ length: 600 }, (_, i) => `k${i}`);
  const { guard, said } = guardOf(store, () => keys);
  for (let look = 0; look < 3; look += 1) await guard.look();
  t.deepEqual(await store.absent(keys), []);
  t.true(said.every((gone) => gone.length <= 256));
});

test('key-guard > goes on after the store was away', async (t) => {
  const store = EmbeddedStore.memory();
  const flaky = new FlakyStore(store);
  const { guard, errors } = guardOf(flaky, () => ['a']);
  flaky.weather = 'down';
  guard.start();
  try {
    await until(t, 'it has failed', () => errors.length > 0);
    flaky.weather = 'fine';
    await until(t, 'the key is back', async () => (await store.absent(['a'])).length === 0);
  } finally {
    await guard[Symbol.asyncDispose]();
  }
});
