import {
  MAX_KEY_LENGTH,
  MAX_STEPS,
  MAX_TRANSACTION_BYTES,
  type Op,
  type Store,
} from '../../src/store/index.js';
import { type Check, LEASE, put, set, textOf, versionOf } from './store-contract-tools.js';

/** get and list, and what may be stored. */
export function readsAndWrites(check: Check): void {
  check('answers undefined and an empty list for what is not there', async (t, { store }) => {
    t.is(await store.get('hosts/none'), undefined);
    t.deepEqual(await store.list('hosts/'), []);
  });

  check('reads what was written, through every client', async (t, { store, other }) => {
    await put(store, { 'hosts/a': '{"v":1}' });
    const entry = await other.get('hosts/a');
    t.like(entry, { key: 'hosts/a', value: '{"v":1}' });
    t.true(Number.isSafeInteger(entry?.version) && entry!.version > 0);
  });

  const values = ['', ' ', '{}', 'ü€𝄞 "quoted" \\ \n\t\u0000 end', 'x'.repeat(100_000)];
  for (const value of values) {
    const start = JSON.stringify(value.slice(0, 20));
    check(`keeps a value as it is: ${start} of ${value.length}`, async (t, { store, other }) => {
      await put(store, { k: value });
      t.is((await other.get('k'))?.value, value);
      t.is((await other.list('k'))[0]?.value, value);
    });
  }

  check('takes keys with every character that is allowed', async (t, { store }) => {
    const keys = [
      'addresses/p1/fd00::1',
      'names/A_z-0.9',
      'a/b/c/d/e',
      'x/a=b,c+d~e@f',
      'y/..z/.hidden/...',
    ];
    for (const key of keys) await put(store, { [key]: key });
    for (const key of keys) t.is((await store.get(key))?.value, key, key);
    t.deepEqual(
      (await store.list('')).map(({ key }) => key),
      keys.toSorted(),
    );
  });

  check('lists by any prefix, ordered by key', async (t, { store }) => {
    await put(store, { 'n/b': '2', 'n/a': '1', 'n/B': '3', 'n-x': '4', 'n/a/x': '5', m: '6' });
    t.deepEqual(await textOf(store, 'n/'), ['n/B=3', 'n/a=1', 'n/a/x=5', 'n/b=2']);
    t.deepEqual(await textOf(store, 'n/a'), ['n/a=1', 'n/a/x=5']);
    t.deepEqual(await textOf(store, 'n'), ['n-x=4', 'n/B=3', 'n/a=1', 'n/a/x=5', 'n/b=2']);
    t.is((await store.list('')).length, 6);
    t.deepEqual(await textOf(store, 'n/c'), []);
  });

  check('tells which keys are absent, of more than one call takes', async (t, { store, other }) => {
    t.deepEqual(await store.absent([]), []);
    const keys = Array.from({ length: MAX_STEPS * 2 + 3 }, (_, i) => `n/${i}`);
    t.deepEqual(await store.absent(keys), keys);
    const [first, ...rest] = keys as [string, ...string[]];
    const [last, before] = [rest.pop()!, rest.splice(70, 1)[0]!];
    await put(store, { [first]: '', [last]: '{}', [before]: 'x', 'n/10/0': 'beside it' });
    t.deepEqual(await other.absent([last, first, before]), []);
    t.deepEqual(await other.absent(keys), rest);
    await t.throwsAsync(store.absent(['a', 'no key']), { code: 'STORE_REFUSED' });
  });

  check('gives a key a new version with each change', async (t, { store }) => {
    const versions = new Set<number>();
    for (const value of ['1', '2', '1']) {
      await put(store, { k: value });
      versions.add(await versionOf(store, 'k'));
    }
    await store.transact([{ op: 'delete', key: 'k' }]);
    await put(store, { k: '1' });
    versions.add(await versionOf(store, 'k'));
    t.is(versions.size, 4);
  });

  check('leaves the version of a key that is set to what it is', async (t, { store }) => {
    await put(store, { k: 'same' });
    const before = await versionOf(store, 'k');
    await put(store, { k: 'same', l: 'x' });
    t.is(await versionOf(store, 'k'), before);
  });
}

/** All or nothing, and check-and-set. */
export function transactions(check: Check): void {
  check('commits all operations of a transaction', async (t, { store, other }) => {
    await put(store, { a: '1', b: '2' });
    const ifVersion = await versionOf(store, 'b');
    const outcome = await store.transact([
      set('c', '3', { ifVersion: 0 }),
      { op: 'delete', key: 'a' },
      { op: 'check', key: 'b', ifVersion },
      { op: 'check', key: 'none', ifVersion: 0 },
    ]);
    t.true(outcome.ok);
    t.deepEqual(await textOf(other), ['b=2', 'c=3']);
  });

  const conflicts: readonly [string, (version: number) => Op][] = [
    ['a set of a key that is there', () => set('k', 'x', { ifVersion: 0 })],
    ['a set of a key that has another version', (v) => set('k', 'x', { ifVersion: v + 1000 })],
    ['a set of a key that is absent', (v) => set('none', 'x', { ifVersion: v })],
    ['a delete of another version', (v) => ({ op: 'delete', key: 'k', ifVersion: v + 1000 })],
    ['a delete of what must be absent', () => ({ op: 'delete', key: 'k', ifVersion: 0 })],
    ['a delete of an absent key', (v) => ({ op: 'delete', key: 'none', ifVersion: v })],
    ['a check of another version', (v) => ({ op: 'check', key: 'k', ifVersion: v + 1000 })],
    ['a check of absence', () => ({ op: 'check', key: 'k', ifVersion: 0 })],
    ['a check of presence', (v) => ({ op: 'check', key: 'none', ifVersion: v })],
  ];
  for (const [title, op] of conflicts) {
    check(`writes nothing and names the operation: ${title}`, async (t, { store }) => {
      await put(store, { k: '1', gone: '1' });
      const ops = [set('new', '1'), { op: 'delete', key: 'gone' } as const];
      const conflict = op(await versionOf(store, 'k'));
      const outcome = await store.transact([...ops, conflict, set('later', '1')]);
      t.deepEqual(outcome, { ok: false, index: 2 });
      t.deepEqual(await textOf(store), ['gone=1', 'k=1']);
    });
  }

  check('names the first of several operations that do not hold', async (t, { store }) => {
    await put(store, { k: '1' });
    const outcome = await store.transact([set('a', '1'), stale('x'), stale('y')]);
    t.deepEqual(outcome, { ok: false, index: 1 });
  });

  check('writes when the versions hold', async (t, { store }) => {
    await put(store, { k: '1', l: '1' });
    const [k, l] = [await versionOf(store, 'k'), await versionOf(store, 'l')];
    const ops: Op[] = [set('k', '2', { ifVersion: k }), { op: 'delete', key: 'l', ifVersion: l }];
    t.true((await store.transact(ops)).ok);
    t.deepEqual(await textOf(store), ['k=2']);
    t.deepEqual(await store.transact(ops), { ok: false, index: 0 });
  });

  check('succeeds in deleting what is absent', async (t, { store }) => {
    t.true((await store.transact([{ op: 'delete', key: 'none' }])).ok);
    t.true((await store.transact([{ op: 'delete', key: 'none', ifVersion: 0 }])).ok);
  });

  check('accepts a transaction of nothing', async (t, { store }) => {
    t.true((await store.transact([])).ok);
  });

  check('answers the versions of the keys that it set', async (t, { store, other }) => {
    await put(store, { same: '1', changed: '1', gone: '1', seen: '1' });
    const seen = await versionOf(store, 'seen');
    const outcome = await store.transact([
      set('new', '1'),
      set('same', '1'),
      set('changed', '2'),
      { op: 'delete', key: 'gone' },
      { op: 'check', key: 'seen', ifVersion: seen },
    ]);
    const { versions } = outcome as { readonly versions: ReadonlyMap<string, number> };
    t.deepEqual([...versions.keys()].toSorted(), ['changed', 'new', 'same']);
    for (const [key, version] of versions) t.is(version, await versionOf(other, key), key);
  });

  check('answers a version that the next check-and-set can use', async (t, { store }) => {
    await using lease = await store.lease(LEASE);
    for (const bound of [{}, { lease }]) {
      const key = 'lease' in bound ? 'bound' : 'free';
      let ifVersion = 0;
      for (const value of ['1', '2', '2', '3']) {
        const outcome = await store.transact([set(key, value, { ...bound, ifVersion })]);
        ifVersion = (outcome.ok && outcome.versions.get(key)) || -1;
        t.is(ifVersion, await versionOf(store, key), `${key} ${value}`);
      }
    }
  });

  check('takes as many operations and octets as it promises', async (t, { store }) => {
    const many = Array.from({ length: MAX_STEPS }, (_, i) => set(`many/${i}`, 'x'));
    t.true((await store.transact(many)).ok);
    const keys = Array.from({ length: MAX_STEPS }, (_, i) => `${i}/`.padEnd(MAX_KEY_LENGTH, 'k'));
    const each = Math.floor(MAX_TRANSACTION_BYTES / MAX_STEPS) - MAX_KEY_LENGTH;
    t.true((await store.transact(keys.map((key) => set(key, '"'.repeat(each))))).ok);
    t.true((await store.transact([set('big', 'x'.repeat(MAX_TRANSACTION_BYTES - 3))])).ok);
    t.is((await store.list('')).length, 2 * MAX_STEPS + 1);
  });

  check('takes as many operations of several steps as it promises', async (t, { store }) => {
    await using lease = await store.lease(LEASE);
    const names = Array.from({ length: MAX_STEPS / 2 }, (_, i) => `k${i}`);
    t.true((await store.transact(names.map((key) => set(key, '1', { lease })))).ok);
    const entries = await store.list('');
    const third = entries.slice(0, Math.floor(MAX_STEPS / 3));
    const sets = third.map(({ key, version }) => set(key, '2', { lease, ifVersion: version }));
    t.true((await store.transact(sets)).ok);
    const deletes = (await store.list('')).map(({ key, version }): Op => ({
      op: 'delete',
      key,
      ifVersion: version,
    }));
    t.true((await store.transact(deletes)).ok);
    t.deepEqual(await store.list(''), []);
  });

  check('loses no update of eight clients that count by check-and-set', async (t, pair) => {
    const clients = 8;
    const rounds = 20;
    const count = async (store: Store): Promise<void> => {
      for (let done = 0; done < rounds;) {
        const entry = await store.get('counter');
        const value = String(Number(entry?.value ?? 0) + 1);
        const ifVersion = entry?.version ?? 0;
        const outcome = await store.transact([set('counter', value, { ifVersion })]);
        if (outcome.ok) done += 1;
      }
    };
    const stores = Array.from({ length: clients }, (_, i) => (i % 2 ? pair.store : pair.other));
    await Promise.all(stores.map(count));
    t.is((await pair.store.get('counter'))?.value, String(clients * rounds));
  });

  check('lets one of many clients create a key', async (t, { store, other }) => {
    const outcomes = await Promise.all(
      Array.from({ length: 16 }, async (_, i) =>
        (i % 2 ? store : other).transact([
          set(`mine/${i}`, '1'),
          set('k', String(i), { ifVersion: 0 }),
        ]),
      ),
    );
    t.is(outcomes.filter(({ ok }) => ok).length, 1);
    const winner = outcomes.findIndex(({ ok }) => ok);
    t.deepEqual(await textOf(store), [`k=${winner}`, `mine/${winner}=1`]);
  });
}

/** Limits, aborts and closed stores. */
export function refusals(check: Check): void {
  const bad = [
    '',
    '/',
    '/a',
    'a/',
    'a//b',
    '.',
    '..',
    'a/../b',
    './a',
    'a b',
    'ü',
    'a?b',
    'a%2fb',
    'a#',
    'a\n',
  ];
  check('refuses what can be no key or prefix', async (t, { store }) => {
    for (const key of [...bad, 'k'.repeat(MAX_KEY_LENGTH + 1)]) {
      await t.throwsAsync(store.get(key), { code: 'STORE_REFUSED' }, key);
      await t.throwsAsync(store.transact([set(key, '1')]), { code: 'STORE_REFUSED' }, key);
    }
    for (const prefix of ['/', '/a', 'a//', 'a b', 'a?']) {
      await t.throwsAsync(store.list(prefix), { code: 'STORE_REFUSED' }, prefix);
    }
  });

  const tooMuch: readonly [string, readonly Op[], RegExp][] = [
    [
      'too many operations',
      Array.from({ length: MAX_STEPS + 1 }, (_, i) => set(`k${i}`, 'x')),
      /65/,
    ],
    [
      'too many steps',
      Array.from({ length: 33 }, (_, i) => ({ op: 'delete', key: `k${i}`, ifVersion: 1 })),
      /66/,
    ],
    ['too many octets', [set('k', 'x'.repeat(MAX_TRANSACTION_BYTES))], /octets/],
    ['a key twice', [set('k', '1'), { op: 'delete', key: 'k' }], /k twice/],
    ['half a character', [set('k', 'x\ud800')], /well-formed/],
    ['a version that is none', [{ op: 'check', key: 'k', ifVersion: -1 }], /version/],
  ];
  for (const [title, ops, message] of tooMuch) {
    check(`refuses a transaction with ${title}, and says so`, async (t, { store }) => {
      await t.throwsAsync(store.transact(ops), { code: 'STORE_REFUSED', message });
      t.deepEqual(await store.list(''), []);
    });
  }

  check('rejects a call whose signal is aborted, with its reason', async (t, { store }) => {
    const signal = AbortSignal.abort(new Error('given up'));
    const expected = { message: 'given up' };
    await t.throwsAsync(store.get('k', { signal }), expected);
    await t.throwsAsync(store.list('', { signal }), expected);
    await t.throwsAsync(store.transact([set('k', '1')], { signal }), expected);
    t.is(await store.get('k'), undefined);
  });

  check('says that it is closed', async (t, { store }) => {
    await store[Symbol.asyncDispose]();
    await store[Symbol.asyncDispose]();
    const expected = { code: 'STORE_CLOSED' };
    await t.throwsAsync(store.get('k'), expected);
    await t.throwsAsync(store.list(''), expected);
    await t.throwsAsync(store.transact([set('k', '1')]), expected);
    await t.throwsAsync(store.lease(LEASE), expected);
  });
}

function stale(key: string): Op {
  return { op: 'check', key, ifVersion: 99 };
}
