import { MAX_STEPS, type Snapshot } from '../../src/store/index.js';
import {
  type Check,
  LEASE,
  Watch,
  put,
  set,
  shown,
  textOf,
  versionOf,
  within,
} from './store-contract-tools.js';

/** Keys that go away with a lease. */
export function leases(check: Check): void {
  check('takes away the keys of a lease that is closed', async (t, { store, other }) => {
    const lease = await store.lease(LEASE);
    await store.transact([set('hosts/a', '1', { lease }), set('hosts/b', '1')]);
    t.deepEqual(await textOf(other, 'hosts/'), ['hosts/a=1', 'hosts/b=1']);
    await lease[Symbol.asyncDispose]();
    t.deepEqual(await textOf(other, 'hosts/'), ['hosts/b=1']);
    t.false(lease.lost.aborted);
    await lease[Symbol.asyncDispose]();
  });

  check('takes away a key that was there before its lease', async (t, { store }) => {
    await put(store, { k: '1' });
    await using lease = await store.lease(LEASE);
    t.true((await store.transact([set('k', '1', { lease })])).ok);
    await lease[Symbol.asyncDispose]();
    t.is(await store.get('k'), undefined);
  });

  check('lets a new lease have the key at once', async (t, { store }) => {
    for (const value of ['1', '2', '3']) {
      await using lease = await store.lease(LEASE);
      t.true((await store.transact([set('k', value, { ifVersion: 0, lease })])).ok);
      t.is((await store.get('k'))?.value, value);
    }
  });

  check('keeps a key bound when it is set without the lease', async (t, { store, other }) => {
    await using lease = await store.lease(LEASE);
    await store.transact([set('k', '1', { lease })]);
    await put(other, { k: '2' });
    await store.transact([set('k', '3', { lease })]);
    await put(other, { k: '4' });
    await lease[Symbol.asyncDispose]();
    t.is(await store.get('k'), undefined);
  });

  check('unbinds a key that is deleted', async (t, { store }) => {
    await using lease = await store.lease(LEASE);
    await store.transact([set('k', '1', { lease })]);
    await store.transact([{ op: 'delete', key: 'k' }]);
    await put(store, { k: '2' });
    await lease[Symbol.asyncDispose]();
    t.is((await store.get('k'))?.value, '2');
  });

  check('lets a lease take over the key of another', async (t, { store, other }) => {
    await using first = await store.lease(LEASE);
    await using second = await other.lease(LEASE);
    await store.transact([set('k', '1', { lease: first }), set('l', '1', { lease: first })]);
    const ifVersion = await versionOf(other, 'l');
    const outcome = await other.transact([
      set('k', '2', { lease: second }),
      set('l', '1', { lease: second, ifVersion }),
    ]);
    t.true(outcome.ok);
    await first[Symbol.asyncDispose]();
    t.deepEqual(await textOf(store), ['k=2', 'l=1']);
    await second[Symbol.asyncDispose]();
    t.deepEqual(await textOf(store), []);
  });

  check('binds nothing to a lease that has ended', async (t, { store }) => {
    const lease = await store.lease(LEASE);
    await lease[Symbol.asyncDispose]();
    const ops = [set('a', '1'), set('k', '1', { lease })];
    await t.throwsAsync(store.transact(ops), { code: 'LEASE_LOST' });
    t.deepEqual(await store.list(''), []);
  });

  check('refuses a lease that is too short or too long', async (t, { store }) => {
    for (const ttlMs of [0, 9_999, 86_400_001, Number.NaN]) {
      await t.throwsAsync(store.lease({ name: 'x', ttlMs }), { code: 'STORE_REFUSED' });
    }
  });

  check('tells watches what a lease took along', async (t, { store, other }) => {
    const lease = await store.lease(LEASE);
    await store.transact([set('hosts/a', '1', { lease })]);
    await using watch = new Watch(other, 'hosts/');
    t.deepEqual(await watch.next(), { entries: ['hosts/a=1'], changed: ['hosts/a'] });
    await lease[Symbol.asyncDispose]();
    t.deepEqual(await watch.next(), { entries: [], changed: ['hosts/a'] });
  });
}

/** Snapshots, coalescing and ends of a watch. */
export function watches(check: Check): void {
  check('begins a watch with what is there', async (t, { store, other }) => {
    await put(store, { 'n/a': '1', 'n/b': '2', m: '3' });
    await using watch = new Watch(other, 'n/');
    const first = await watch.next();
    t.deepEqual(first, { entries: ['n/a=1', 'n/b=2'], changed: ['n/a', 'n/b'] });
  });

  check('begins a watch of nothing with an empty snapshot', async (t, { store }) => {
    await using watch = new Watch(store, 'n/');
    t.deepEqual(await watch.next(), { entries: [], changed: [] });
    await put(store, { 'n/a': '1' });
    t.deepEqual(await watch.next(), { entries: ['n/a=1'], changed: ['n/a'] });
  });

  check('tells a watch what is set, changed and gone', async (t, { store, other }) => {
    await put(store, { 'n/a': '1', 'n/b': '1', 'n/c': '1' });
    await using watch = new Watch(other, 'n/');
    await watch.next();
    await store.transact([
      set('n/new', '1'),
      set('n/a', '2'),
      { op: 'delete', key: 'n/b' },
      set('elsewhere', '1'),
    ]);
    t.deepEqual(await watch.next(), {
      entries: ['n/a=2', 'n/c=1', 'n/new=1'],
      changed: ['n/a', 'n/b', 'n/new'],
    });
  });

  check('tells a watch of a key that was deleted and made again', async (t, { store, other }) => {
    await put(store, { 'n/a': '1' });
    await using watch = new Watch(other, 'n/');
    await watch.next();
    await store.transact([{ op: 'delete', key: 'n/a' }]);
    await put(store, { 'n/a': '1' });
    const seen = await watch.next();
    t.deepEqual(seen.changed, ['n/a']);
  });

  check('keeps silent about other keys', async (t, { store }) => {
    await using watch = new Watch(store, 'n/');
    await watch.next();
    await put(store, { m: '1', 'n-x': '1', n: '1' });
    await put(store, { 'n/a': '1' });
    t.deepEqual(await watch.next(), { entries: ['n/a=1'], changed: ['n/a'] });
  });

  check('never shows half a transaction', async (t, { store, other }) => {
    await using watch = new Watch(other, 'pair/');
    const writes = (async () => {
      for (let i = 1; i <= 50; i += 1) await put(store, { 'pair/a': `${i}`, 'pair/b': `${i}` });
    })();
    for (let last = ''; last !== '50';) {
      const { entries } = await watch.next();
      const [a, b] = entries.map((entry) => entry.split('=')[1]);
      t.is(a, b, entries.join(' '));
      last = a ?? '';
    }
    await writes;
  });

  check('coalesces what a slow consumer missed', async (t, { store, other }) => {
    await using watch = new Watch(other, 'n/');
    await watch.next();
    const rounds = 40;
    for (let i = 1; i <= rounds; i += 1) await put(store, { [`n/${i % 4}`]: `${i}` });
    let snapshots = 0;
    for (let done = false; !done; snapshots += 1) {
      done = (await watch.next()).entries.includes(`n/0=${rounds}`);
    }
    t.true(snapshots < rounds / 2, `${snapshots} snapshots of ${rounds} changes`);
  });

  check('tells a watch with heads what changed with its head', async (t, { store, other }) => {
    await put(store, { 'n/a': '1', 'h/a': 'x1', 'n/b': '1', 'h/b': 'y1' });
    await using watch = new Watch(other, 'n/', 'h/');
    t.deepEqual((await watch.next()).entries, ['n/a=1', 'n/b=1']);
    await put(store, { 'n/a': '2', 'h/a': 'x2' });
    t.deepEqual(await watch.next(), { entries: ['n/a=2', 'n/b=1'], changed: ['n/a'] });
    await put(store, { 'n/c': '1', 'h/c': 'z1' });
    t.deepEqual((await watch.next()).changed, ['n/c']);
    await store.transact([
      { op: 'delete', key: 'n/b' },
      { op: 'delete', key: 'h/b' },
    ]);
    t.deepEqual(await watch.next(), { entries: ['n/a=2', 'n/c=1'], changed: ['n/b'] });
  });

  check('tells a watch with heads what changed without', async (t, { store, other }) => {
    await put(store, { 'n/a': '1', 'h/a': 'x1', 'n/old': '1' });
    await using watch = new Watch(other, 'n/', 'h/');
    t.deepEqual((await watch.next()).entries, ['n/a=1', 'n/old=1']);
    await put(store, { 'n/old': '2' });
    t.deepEqual((await watch.next()).changed, ['n/old']);
    await put(store, { 'n/a': '2' });
    t.deepEqual((await watch.next()).changed, ['n/a']);
    await put(store, { 'n/a': '3', 'h/a': 'x3' });
    t.deepEqual((await watch.next()).changed, ['n/a']);
    await store.transact([{ op: 'delete', key: 'n/a' }]);
    t.deepEqual(await watch.next(), { entries: ['n/old=2'], changed: ['n/a'] });
    await put(store, { 'n/a': '3' });
    t.deepEqual(await watch.next(), { entries: ['n/a=3', 'n/old=2'], changed: ['n/a'] });
    await store.transact([
      { op: 'delete', key: 'n/a' },
      { op: 'delete', key: 'n/old' },
    ]);
    await watch.until([]);
    await put(store, { 'n/a': '4', 'h/a': 'x4' });
    await watch.until(['n/a=4']);
  });

  check('follows a storm of changes with heads to its end', async (t, { store, other }) => {
    await using watch = new Watch(other, 'n/', 'h/');
    await watch.next();
    const keys = Array.from({ length: 20 }, (_, i) => `k${i + 10}`);
    const writer = async (key: string): Promise<void> => {
      for (let i = 1; i <= 10; i += 1)
        await put(store, { [`n/${key}`]: `${i}`, [`h/${key}`]: `${i}` });
    };
    const writes = Promise.all(keys.map(writer));
    await watch.until(keys.map((key) => `n/${key}=10`));
    await writes;
    t.pass();
  });

  check('leaves a snapshot as it is until the next is asked for', async (t, { store }) => {
    await put(store, { 'n/a': '1' });
    const controller = new AbortController();
    const iterator = store.watch('n/', { signal: controller.signal })[Symbol.asyncIterator]();
    const { entries } = ((await iterator.next()) as { value: Snapshot }).value;
    await put(store, { 'n/a': '2', 'n/b': '2' });
    t.deepEqual(shown(entries), ['n/a=1']);
    await iterator.next();
    t.deepEqual(shown(entries), ['n/a=2', 'n/b=2']);
    controller.abort();
    t.true((await iterator.next()).done);
  });

  check('ends a watch when it is aborted, before, between and during', async (t, { store }) => {
    const collect = async (signal: AbortSignal, each: () => void): Promise<number> => {
      let snapshots = 0;
      for await (const _ of store.watch('', { signal })) {
        snapshots += 1;
        each();
      }
      return snapshots;
    };
    t.is(await collect(AbortSignal.abort(), () => undefined), 0);
    const inside = new AbortController();
    t.is(await collect(inside.signal, () => inside.abort()), 1);
    const later = new AbortController();
    const waiting = collect(later.signal, () => setTimeout(() => later.abort(), 20));
    t.is(await within(waiting), 1);
  });

  check('ends watches when the store is closed', async (t, { store }) => {
    const watch = new Watch(store, '');
    await watch.next();
    const end = watch.ended();
    await store[Symbol.asyncDispose]();
    await within(end);
    t.pass();
  });

  check('keeps a watch going whose neighbour throws', async (t, { store }) => {
    await using watch = new Watch(store, 'n/');
    await watch.next();
    const { signal } = new AbortController();
    const failing = (async () => {
      for await (const { changed } of store.watch('n/', { signal })) {
        if (changed.size > 0) throw new Error('the consumer failed');
      }
    })();
    await put(store, { 'n/a': '1' });
    await t.throwsAsync(within(failing), { message: 'the consumer failed' });
    t.deepEqual((await watch.next()).changed, ['n/a']);
    await put(store, { 'n/b': '1' });
    t.deepEqual((await watch.next()).changed, ['n/b']);
  });

  check('says that the store can be reached before the first snapshot', async (t, { store }) => {
    const heard: string[] = [];
    const controller = new AbortController();
    const onState = (reachable: boolean): void => void heard.push(`reachable ${reachable}`);
    for await (const _ of store.watch('', { signal: controller.signal, onState })) {
      heard.push('snapshot');
      controller.abort();
    }
    t.deepEqual(heard, ['reachable true', 'snapshot']);
  });

  check('shows a watcher all of a thousand keys', async (t, { store, other }) => {
    const keys = Array.from({ length: 1024 }, (_, i) => `bulk/${String(i).padStart(4, '0')}`);
    await using watch = new Watch(other, 'bulk/');
    for (let i = 0; i < keys.length; i += MAX_STEPS) {
      await store.transact(keys.slice(i, i + MAX_STEPS).map((key) => set(key, key)));
    }
    const seen = new Set<string>();
    for (let count = 0; count < keys.length;) {
      const { entries, changed } = await watch.next();
      for (const key of changed) seen.add(key);
      count = entries.length;
    }
    t.deepEqual([...seen].toSorted(), keys);
    t.deepEqual(
      (await other.list('bulk/')).map(({ key }) => key),
      keys,
    );
  });
}
