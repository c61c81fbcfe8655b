import { mkdir, readFile, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import fc from 'fast-check';
import { EmbeddedStore, type Lease, type Op } from '../../../src/store/index.js';
import type { JournalDamage } from '../../../src/util/index.js';
import { FaultyDisk } from '../../helpers/faulty-file.js';
import { tempDir } from '../../helpers/temp-dir.js';

const KEYS = ['a', 'b', 'c/d', 'c/e'];

type State = ReadonlyMap<string, string>;

interface Step {
  readonly key: string;
  readonly action: 'set' | 'delete' | 'check' | 'create' | 'bind';
  readonly value: string;
}

const step: fc.Arbitrary<Step> = fc.record({
  key: fc.constantFrom(...KEYS),
  action: fc.constantFrom('set', 'set', 'delete', 'check', 'create', 'bind'),
  value: fc.string({ maxLength: 5, unit: 'grapheme' }),
});
const transaction = fc.uniqueArray(step, {
  selector: ({ key }) => key,
  minLength: 1,
  maxLength: 3,
});

function opOf({ key, action, value }: Step, lease: Lease): Op {
  if (action === 'delete') return { op: 'delete', key };
  if (action === 'check') return { op: 'check', key, ifVersion: 0 };
  if (action === 'bind') return { op: 'set', key, value, lease };
  return { op: 'set', key, value, ...(action === 'create' ? { ifVersion: 0 } : {}) };
}

/** What the store must hold: values by key, and which of them are bound to the lease. */
class Model {
  readonly values = new Map<string, string>();
  readonly bound = new Set<string>();

  apply(steps: readonly Step[]): boolean {
    const conflicts = steps.some(
      ({ action, key }) => (action === 'check' || action === 'create') && this.values.has(key),
    );
    if (conflicts) return false;
    for (const { action, key, value } of steps) {
      if (action === 'check') continue;
      if (action === 'bind') this.bound.add(key);
      if (action === 'delete') {
        this.values.delete(key);
        this.bound.delete(key);
      } else {
        this.values.set(key, value);
      }
    }
    return true;
  }

  /** What a restart must find. */
  durable(): State {
    return new Map([...this.values].filter(([key]) => !this.bound.has(key)));
  }
}

async function stateOf(store: EmbeddedStore): Promise<State> {
  return new Map((await store.list('')).map(({ key, value }) => [key, value]));
}

function sameState(a: State, b: State): boolean {
  return a.size === b.size && [...a].every(([key, value]) => b.get(key) === value);
}

test('embedded store > cut at any byte, is a beginning of what was committed, with all that was acknowledged', async (t) => {
  await using root = await tempDir();
  let runs = 0;
  const history = fc.array(fc.array(transaction, { minLength: 1, maxLength: 4 }), {
    minLength: 1,
    maxLength: 6,
  });
  await fc.assert(
    fc.asyncProperty(history, fc.array(fc.nat(), { maxLength: 6 }), async (groups, cuts) => {
      const dir = join(root.path, String((runs += 1)));
      const path = join(dir, 'store.journal');
      const model = new Model();
      /** Durable states in order, each with the size of the journal when it was acknowledged. */
      const states: { readonly state: State; size: number }[] = [];
      const store = await EmbeddedStore.open({ dir });
      const lease = await store.lease({ name: 'model', ttlMs: 10_000 });
      states.push({ state: new Map(), size: (await stat(path)).size });
      for (const group of groups) {
        const outcomes = await Promise.all(
          group.map(async (steps) => store.transact(steps.map((s) => opOf(s, lease)))),
        );
        const { size } = await stat(path);
        for (const [i, steps] of group.entries()) {
          t.is(outcomes[i]!.ok, model.apply(steps));
          states.push({ state: model.durable(), size });
        }
        t.true(sameState(await stateOf(store), model.values));
      }
      await store[Symbol.asyncDispose]();

      const whole = await readFile(path);
      const first = states[0]!.size;
      for (const cut of [
        ...cuts.map((n) => first + (n % (whole.length - first + 1))),
        whole.length,
      ]) {
        const copy = join(root.path, `${runs}-${cut}`);
        await mkdir(copy, { recursive: true });
        await writeFile(join(copy, 'store.journal'), whole.subarray(0, cut));
        await using again = await EmbeddedStore.open({ dir: copy });
        const found = await stateOf(again);
        const acknowledged = states.findLastIndex(({ size }) => size <= cut);
        const committed = states.findLastIndex(({ state }) => sameState(state, found));
        t.true(committed >= acknowledged, `cut at ${cut} of ${whole.length}`);
      }
    }),
    { numRuns: 40 },
  );
});

test('embedded store > agrees with its disk whatever the disk refuses', async (t) => {
  await using root = await tempDir();
  let runs = 0;
  const fault = fc.record({
    freeBytes: fc.oneof(fc.constant(Number.POSITIVE_INFINITY), fc.nat(120)),
    failing: fc.subarray(['write', 'truncate', 'datasync', 'sync'] as const),
    steps: transaction,
  });
  await fc.assert(
    fc.asyncProperty(fc.array(fault, { minLength: 1, maxLength: 12 }), async (faults) => {
      const dir = join(root.path, String((runs += 1)));
      const disk = new FaultyDisk();
      const model = new Model();
      const store = await EmbeddedStore.open({ dir, openFile: disk.open });
      const lease = await store.lease({ name: 'model', ttlMs: 10_000 });
      for (const { freeBytes, failing, steps } of faults) {
        disk.freeBytes = freeBytes;
        disk.failing.clear();
        for (const call of failing) disk.failing.add(call);
        try {
          const outcome = await store.transact(steps.map((s) => opOf(s, lease)));
          t.is(outcome.ok, model.apply(steps));
        } catch (error) {
          t.like(error, { code: 'UNAVAILABLE' });
        }
        t.true(sameState(await stateOf(store), model.values));
      }
      disk.freeBytes = Number.POSITIVE_INFINITY;
      disk.failing.clear();
      const after: Step = { key: 'after', action: 'set', value: 'works again' };
      t.true((await store.transact([opOf(after, lease)])).ok);
      model.apply([after]);
      await store[Symbol.asyncDispose]();
      await using again = await EmbeddedStore.open({ dir });
      t.true(sameState(await stateOf(again), model.durable()));
    }),
    { numRuns: 60 },
  );
});

test('embedded store > forgets leases when it is opened again, and gives no version twice', async (t) => {
  await using dir = await tempDir();
  const versions: number[] = [];
  for (let round = 0; round < 3; round += 1) {
    await using store = await EmbeddedStore.open({ dir: dir.path });
    t.deepEqual(await store.list('bound'), []);
    const lease = await store.lease({ name: 'x', ttlMs: 10_000 });
    await store.transact([{ op: 'set', key: 'bound', value: 'x', lease }]);
    await store.transact([{ op: 'set', key: 'k', value: String(round) }]);
    versions.push((await store.get('k'))!.version);
    await store.transact([{ op: 'delete', key: 'k' }]);
  }
  t.is(new Set(versions).size, 3);
  t.deepEqual(
    versions,
    versions.toSorted((a, b) => a - b),
  );
});

test('embedded store > lets no second daemon in', async (t) => {
  await using dir = await tempDir();
  const first = await EmbeddedStore.open({ dir: dir.path });
  await t.throwsAsync(EmbeddedStore.open({ dir: dir.path }), {
    code: 'STORE_IN_USE',
    message: /in use by process \d+; stop it/,
  });
  await first[Symbol.asyncDispose]();
  await using second = await EmbeddedStore.open({ dir: dir.path });
  t.is(second.kind, 'embedded');
});

test('embedded store > keeps its journal within bounds, whatever is written', async (t) => {
  await using dir = await tempDir();
  const value = (i: number): string => String(i).repeat(60_000);
  const store = await EmbeddedStore.open({ dir: dir.path });
  for (let i = 0; i < 40; i += 1) {
    await store.transact([{ op: 'set', key: `k${i % 3}`, value: value(i) }]);
  }
  const { size } = await stat(join(dir.path, 'store.journal'));
  t.true(size < 1.5 * (1 << 20), `${size} octets`);
  const before = await store.list('');
  await store[Symbol.asyncDispose]();
  await using again = await EmbeddedStore.open({ dir: dir.path });
  t.deepEqual(await again.list(''), before);
});

test('embedded store > opens with what is good of a damaged file, and says where it put that', async (t) => {
  await using dir = await tempDir();
  const path = join(dir.path, 'store.journal');
  const store = await EmbeddedStore.open({ dir: dir.path });
  for (const key of ['a', 'b', 'c']) await store.transact([{ op: 'set', key, value: `"${key}"` }]);
  await store[Symbol.asyncDispose]();
  const bytes = await readFile(path);
  bytes[bytes.indexOf('"a"')]! ^= 1;
  await writeFile(path, bytes);

  const damage: JournalDamage[] = [];
  await using again = await EmbeddedStore.open({
    dir: dir.path,
    onDamage: (found) => void damage.push(found),
  });
  t.deepEqual([...(await stateOf(again)).keys()], ['b', 'c']);
  t.like(damage, [{ kind: 'corrupt', keptRecords: 2, lostRecords: 1 }]);
  t.deepEqual(await readFile(damage[0]!.setAside!), bytes);
  t.is((await readdir(dir.path)).length, 3);
});

test('embedded store > answers within its bound when the disk hangs', async (t) => {
  await using dir = await tempDir();
  const disk = new FaultyDisk();
  const store = await EmbeddedStore.open({ dir: dir.path, openFile: disk.open, timeoutMs: 500 });
  const goOn = disk.hang();
  const set = (key: string): Op => ({ op: 'set', key, value: '1' });
  const first = store.transact([set('under-way')]);
  const second = store.transact([set('waiting')]);
  const late = { code: 'UNAVAILABLE', message: /disk does not answer/ };
  await t.throwsAsync(first, late);
  await t.throwsAsync(second, late);
  await t.throwsAsync(store.transact([set('later')]), late);
  t.is(await store.get('under-way'), undefined);
  goOn();
  t.true((await store.transact([set('after')])).ok);
  t.is(await store.get('later'), undefined);
  await store[Symbol.asyncDispose]();
});

test('embedded store > gives up a transaction that is aborted while it waits for the disk', async (t) => {
  await using dir = await tempDir();
  const disk = new FaultyDisk();
  await using store = await EmbeddedStore.open({ dir: dir.path, openFile: disk.open });
  const goOn = disk.hang();
  const first = store.transact([{ op: 'set', key: 'a', value: '1' }]);
  await disk.hanging();
  const aborter = new AbortController();
  const second = store.transact([{ op: 'set', key: 'b', value: '1' }], aborter);
  aborter.abort(new Error('given up'));
  await t.throwsAsync(second, { message: 'given up' });
  goOn();
  t.true((await first).ok);
  t.is(await store.get('b'), undefined);
});
