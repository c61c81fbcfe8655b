import test, { type ExecutionContext } from 'ava';
import { ConsulStore, type Snapshot, type Store, StoreError } from '../../../src/store/index.js';
import { Follower, failure } from '../../helpers/consul-world.js';
import { ConsulCluster, type ConsulServer, until } from '../../helpers/consul.js';
import { put, set } from '../../helpers/store-contract-tools.js';

// Three real servers, one of which is killed.

/** Counts up by check-and-set, each step with a key of its own in the same transaction, until `stop`. */
class Counter {
  /** Steps that were acknowledged. */
  readonly acknowledged: number[] = [];
  unknown = 0;
  stop = false;

  async run(store: Store): Promise<void> {
    while (!this.stop) {
      try {
        await this.#step(store);
      } catch (error) {
        if (!(error instanceof StoreError) || error.code !== 'UNAVAILABLE') throw error;
        this.unknown += 1;
      }
    }
  }

  async #step(store: Store): Promise<void> {
    const entry = await store.get('n/counter');
    const next = Number(entry?.value ?? 0) + 1;
    const outcome = await store.transact([
      set('n/counter', String(next), { ifVersion: entry?.version ?? 0 }),
      set(`n/step/${next}`, 'x', { ifVersion: 0 }),
    ]);
    if (outcome.ok) this.acknowledged.push(next);
  }
}

/** Fails when a snapshot shows half a step or goes back. */
function judge(t: ExecutionContext): (snapshot: Snapshot) => void {
  let last = 0;
  return ({ entries }) => {
    const count = Number(entries.get('n/counter')?.value ?? 0);
    t.is(entries.size, count === 0 ? 0 : count + 1, `at ${count}`);
    t.true(count >= last, `${last} then ${count}`);
    last = count;
  };
}

function storeOn(server: ConsulServer, timeoutMs = 3_000): ConsulStore {
  return new ConsulStore({ address: server.address, timeoutMs });
}

test('consul cluster > loses nothing when its leader is killed', async (t) => {
  await using cluster = await ConsulCluster.start();
  const leader = await cluster.leader();
  const [second, third] = cluster.servers.filter((server) => server !== leader);
  const stores = [leader, second!, third!].map((server) => storeOn(server));
  const followers = stores.map((store) => new Follower(store, 'n/', judge(t)));
  const counter = new Counter();
  const counting = stores.map(async (store) => counter.run(store));

  await until(() => counter.acknowledged.length > 50, 'writes');
  await leader.kill();
  const atKill = counter.acknowledged.length;
  await until(() => counter.acknowledged.length > atKill + 100, 'writes under a new leader');
  counter.stop = true;
  await Promise.all(counting);

  const count = Number((await stores[1]!.get('n/counter'))?.value);
  const steps = await stores[2]!.list('n/step/');
  t.is(steps.length, count);
  t.is(new Set(counter.acknowledged).size, counter.acknowledged.length, 'no step twice');
  const keys = new Set(steps.map(({ key }) => Number(key.slice('n/step/'.length))));
  const lost = counter.acknowledged.filter((step) => !keys.has(step));
  t.deepEqual(lost, []);
  t.true(counter.unknown > 0);
  for (const follower of followers.slice(1)) {
    await until(() => follower.latest.length === count + 1, 'a survivor that catches up');
  }
  t.false(followers[0]!.states.at(-1));

  // The one that was killed comes back and catches up.
  await leader.run();
  await until(() => followers[0]!.latest.length === count + 1, 'the killed one');
  for (const thing of [...followers, ...stores]) await thing[Symbol.asyncDispose]();
});

test('consul cluster > keeps a lease whose server died until its time', async (t) => {
  await using cluster = await ConsulCluster.start();
  const leader = await cluster.leader();
  const other = cluster.servers.find((server) => server !== leader)!;
  const doomed = storeOn(leader);
  await using survivor = storeOn(other, 10_000);
  const lease = await doomed.lease({ name: 'doomed', ttlMs: 120_000 });
  await doomed.transact([set('hosts/doomed', '1', { lease })]);
  await using kept = await survivor.lease({ name: 'kept', ttlMs: 10_000 });
  await survivor.transact([set('hosts/kept', '1', { lease: kept })]);
  await leader.kill();
  await until(async () => (await other.failedMembers()) === 1, 'word of the death');
  t.deepEqual(
    (await survivor.list('hosts/')).map(({ key }) => key),
    ['hosts/doomed', 'hosts/kept'],
  );
  t.false(kept.lost.aborted);
  await doomed[Symbol.asyncDispose]();
});

test('consul cluster > says that it has no leader, and goes on when it has one', async (t) => {
  await using cluster = await ConsulCluster.start();
  const [one, two, three] = cluster.servers;
  await using store = storeOn(one!, 9_000);
  await using follower = new Follower(store, '');
  await put(store, { k: '1' });
  await until(() => follower.latest.includes('k=1'), 'the key');
  await two!.kill();
  await three!.kill();
  const failures = await Promise.all([
    failure(async () => store.get('k')),
    failure(async () => store.list('')),
    failure(async () => store.transact([set('k', '2')])),
  ]);
  for (const { error, ms } of failures) {
    t.is(error.code, 'UNAVAILABLE');
    t.regex(error.message, /no cluster leader|did not answer|failed|raft|leadership/i);
    t.true(ms < 30_000, `${ms} ms`);
    t.log(error.message);
  }
  await two!.run();
  await one!.ready();
  await put(store, { k: '3' });
  await until(() => follower.latest.includes('k=3'), 'the change');
  t.pass();
});
