import test from 'ava';
import { Policies, type PolicySet, type PolicyText } from '../../../src/cluster/index.js';
import {
  BorrowedStore,
  EmbeddedStore,
  type Snapshot,
  type Store,
} from '../../../src/store/index.js';
import { until } from '../../helpers/cluster.js';

const policyOf = (name: string, text = `name: ${name}`): PolicyText => ({
  name,
  networks: ['web'],
  text,
  source: 'policies.yaml',
  line: 1,
});

/** A store that does not answer. */
class AwayStore extends BorrowedStore {
  override watch(_: string, { signal: ended }: Parameters<Store['watch']>[1]) {
    const next = async (): Promise<IteratorResult<Snapshot>> => {
      if (!ended.aborted) await new Promise((resolve) => ended.addEventListener('abort', resolve));
      return { done: true, value: undefined };
    };
    return { [Symbol.asyncIterator]: () => ({ next }) };
  }
}

const signal = AbortSignal.timeout(60_000);

/** The policies as one host has them, and what it was told. */
async function hostOf(store: Store, { local = EmbeddedStore.memory(), hostId = 'h1' } = {}) {
  const sets: PolicySet[] = [];
  const damaged: string[] = [];
  const errors: unknown[] = [];
  let lost = 0;
  const policies = await Policies.open({
    store,
    local,
    hostId,
    onChange: (set) => sets.push(set),
    onDamage: (key) => damaged.push(key),
    onLost: () => (lost += 1),
    onError: (error) => errors.push(error),
  });
  policies.start();
  return { policies, sets, damaged, errors, local, lost: () => lost };
}

const names = ({ texts }: PolicySet): string[] => [...texts.keys()].toSorted();
const textKeys = async (store: Store): Promise<string[]> =>
  (await store.list('policies/')).map(({ key }) => key).filter((key) => key !== 'policies/-');

test('policies > a change is known to every host, with a version that counts up', async (t) => {
  const store = EmbeddedStore.memory();
  const [a, b] = [await hostOf(store), await hostOf(store, { hostId: 'h2' })];
  t.is(await a.policies.change({ set: [policyOf('one'), policyOf('two')] }, signal), 1);
  t.is(await b.policies.change({ set: [policyOf('two', 'other')], remove: ['one'] }, signal), 2);
  for (const { policies } of [a, b])
    await until(t, 'as it should be', () => policies.known.version === 2);
  t.deepEqual(names(a.policies.known), ['two']);
  t.is(a.policies.known.texts.get('two')?.text, 'other');
  t.is((await textKeys(store)).length, 1, 'texts that do not count any more are deleted');
  await a.policies[Symbol.asyncDispose]();
  await b.policies[Symbol.asyncDispose]();
});

test('policies > a change that changes nothing makes no version', async (t) => {
  const store = EmbeddedStore.memory();
  const { policies } = await hostOf(store);
  await policies.change({ set: [policyOf('one')] }, signal);
  t.is(await policies.change({ set: [policyOf('one')], remove: ['never'] }, signal), 1);
  await policies[Symbol.asyncDispose]();
});

test('policies > hosts that change at the same moment lose nothing', async (t) => {
  const store = EmbeddedStore.memory();
  const hosts = await Promise.all([1, 2, 3].map(async (i) => hostOf(store, { hostId: `h${i}` })));
  const changes = hosts.flatMap(({ policies }, i) =>
    [1, 2, 3, 4].map(async (j) => policies.change({ set: [policyOf(`p${i}-${j}`)] }, signal)),
  );
  const versions = await Promise.all(changes);
  t.is(new Set(versions).size, 12);
  for (const { policies } of hosts) {
    await until(t, 'as it should be', () => policies.known.version === 12);
    t.is(policies.known.texts.size, 12);
    await policies[Symbol.asyncDispose]();
  }
  t.is((await textKeys(store)).length, 12);
});

test('policies > more than one transaction takes come into effect in one step', async (t) => {
  const store = EmbeddedStore.memory();
  const { policies, sets } = await hostOf(store);
  const many = Array.from({ length: 200 }, (_, i) => policyOf(`p${i}`, 'x'.repeat(5000)));
  await policies.change({ set: many }, signal);
  await until(t, 'as it should be', () => policies.known.version === 1);
  t.deepEqual(
    sets.map(({ texts }) => texts.size),
    [0, 200],
  );
  await policies[Symbol.asyncDispose]();
});

test('policies > a host that starts while the store is away goes by what it knew', async (t) => {
  const store = EmbeddedStore.memory();
  const before = await hostOf(store);
  await before.policies.change({ set: [policyOf('one')] }, signal);
  await until(t, 'as it should be', () => before.policies.known.version === 1);
  await before.policies[Symbol.asyncDispose]();
  const away = new AwayStore(EmbeddedStore.memory());
  const { policies } = await hostOf(away, { local: before.local });
  t.deepEqual(names(policies.known), ['one']);
  t.false(policies.isSeen);
  await policies[Symbol.asyncDispose]();
});

test('policies > what the store has counts, when it is there, whatever was on disk', async (t) => {
  const [old, store] = [EmbeddedStore.memory(), EmbeddedStore.memory()];
  const before = await hostOf(old);
  for (const name of ['a', 'b', 'c'])
    await before.policies.change({ set: [policyOf(name)] }, signal);
  await until(t, 'as it should be', () => before.policies.known.version === 3);
  await before.policies[Symbol.asyncDispose]();
  const { policies } = await hostOf(store, { local: before.local });
  await until(t, 'as it should be', () => policies.isSeen);
  t.deepEqual(names(policies.known), []);
  t.is(await store.get('policies/-'), undefined);
  await policies[Symbol.asyncDispose]();
});

for (const [what, lose] of [
  ['the index', (key: string) => key === 'policies/-'],
  ['a text', (key: string) => key.startsWith('policies/one@')],
  ['all of it', () => true],
] as const) {
  test(`policies > ${what} that somebody deletes in the store comes back, and holds meanwhile`, async (t) => {
    const store = EmbeddedStore.memory();
    const host = await hostOf(store);
    await host.policies.change({ set: [policyOf('one'), policyOf('two')] }, signal);
    await until(t, 'as it should be', () => host.policies.known.version === 1);
    const entries = await store.list('policies/');
    const gone = entries.filter(({ key }) => lose(key));
    t.true(gone.length > 0);
    await store.transact(gone.map(({ key }) => ({ op: 'delete', key })));
    await until(
      t,
      'as it should be',
      async () => (await store.list('policies/')).length === entries.length,
    );
    await until(t, 'as it should be', () => host.lost() > 0);
    t.deepEqual(host.sets.map(names), [[], ['one', 'two']]);
    await host.policies[Symbol.asyncDispose]();
  });
}

test('policies > what is no policy holds nobody up: what was known holds', async (t) => {
  const store = EmbeddedStore.memory();
  const host = await hostOf(store);
  await host.policies.change({ set: [policyOf('one')] }, signal);
  await until(t, 'as it should be', () => host.policies.known.version === 1);
  await store.transact([{ op: 'set', key: 'policies/-', value: '{"v":9}' }]);
  await until(t, 'as it should be', () => host.damaged.length > 0);
  t.deepEqual(names(host.policies.known), ['one']);
  await t.throwsAsync(host.policies.change({ set: [policyOf('two')] }, signal), {
    code: 'BAD_POLICY_INDEX',
  });
  await host.policies[Symbol.asyncDispose]();
});

test('policies > each host says which version it enforces', async (t) => {
  const store = EmbeddedStore.memory();
  const [a, b] = [await hostOf(store), await hostOf(store, { hostId: 'h2' })];
  await a.policies.report(3, {});
  await b.policies.report(2, {});
  const watching = new AbortController();
  const seen: [string, number][][] = [];
  for await (const enforced of a.policies.enforced(watching.signal)) {
    seen.push([...enforced].toSorted(([one], [other]) => Number(one > other) * 2 - 1));
    if (enforced.get('h2') === 3) watching.abort();
    else await b.policies.report(3, {});
  }
  t.deepEqual(seen.at(-1), [
    ['h1', 3],
    ['h2', 3],
  ]);
  for (const { policies } of [a, b]) await policies[Symbol.asyncDispose]();
});
