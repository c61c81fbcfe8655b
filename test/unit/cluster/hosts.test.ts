import test, { type ExecutionContext } from 'ava';
import {
  type AnnounceState,
  FencedStore,
  type HostDocument,
  HostAnnouncer,
  Standing,
} from '../../../src/cluster/index.js';
import { EmbeddedStore, type Lease, type Store } from '../../../src/store/index.js';
import { AppError } from '../../../src/util/index.js';
import { hostDocument, until } from '../../helpers/cluster.js';
import { GatedStore } from '../../helpers/gated-store.js';
import { ShakyStore } from '../../helpers/shaky-store.js';

const A = hostDocument('a', '192.0.2.1');
const B = hostDocument('b', '192.0.2.2');

/** A daemon's announcement, and what it told of it. */
class Announced implements AsyncDisposable {
  readonly states: AnnounceState[] = [];
  readonly announcer: HostAnnouncer;
  readonly standing: Standing;

  constructor(store: Store, document: HostDocument) {
    this.standing = new Standing(`members/${document.id}`, store.kind);
    this.announcer = new HostAnnouncer(store, document, {
      standing: this.standing,
      onState: (state) => void this.states.push(state),
    });
    this.announcer.start();
  }

  async reaches(t: ExecutionContext, kind: AnnounceState['kind']): Promise<void> {
    await until(t, kind, () => this.states.at(-1)?.kind === kind);
  }

  failure(): AppError<{ readonly code: string }> {
    const state = this.states.findLast(({ kind }) => kind === 'failed');
    if (state?.kind !== 'failed' || !(state.error instanceof AppError))
      throw new Error('no failure');
    return state.error;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.announcer[Symbol.asyncDispose]();
  }
}

/** A store whose leases can be lost. */
class LossyStore extends GatedStore {
  #losers: (() => Promise<void>)[] = [];

  override async lease(options: { readonly name: string; readonly ttlMs: number }): Promise<Lease> {
    const inner = await super.lease(options);
    const lost = new AbortController();
    this.#losers.push(async () => {
      await inner[Symbol.asyncDispose]();
      lost.abort();
    });
    const { id } = inner;
    return { id, lost: lost.signal, [Symbol.asyncDispose]: inner[Symbol.asyncDispose] };
  }

  async loseLeases(): Promise<void> {
    for (const lose of this.#losers.splice(0)) await lose();
  }
}

/** But for the layout's marker, which is nobody's. */
async function keysOf(store: Store): Promise<string[]> {
  return (await store.list('')).map(({ key }) => key).filter((key) => key !== 'layout');
}

test('hosts > a host announces itself and claims its underlay address', async (t) => {
  const store = EmbeddedStore.memory();
  await using a = new Announced(store, A);
  await a.reaches(t, 'announced');
  t.deepEqual(await keysOf(store), ['hosts/host-a', 'members/host-a', 'vteps/192.0.2.1']);
  t.deepEqual(
    a.states.map(({ kind }) => kind),
    ['starting', 'announced'],
  );
});

test('F6 > a host whose underlay address another one has is refused, with the name of that and the way out', async (t) => {
  const store = EmbeddedStore.memory();
  await using a = new Announced(store, A);
  await a.reaches(t, 'announced');
  await using b = new Announced(store, { ...B, vtep: A.vtep });
  await b.reaches(t, 'failed');
  t.is(b.failure().code, 'VTEP_TAKEN');
  t.regex(b.failure().message, /^host a announces .* 192\.0\.2\.1 already.*--underlay/);
  t.deepEqual(await keysOf(store), ['hosts/host-a', 'members/host-a', 'vteps/192.0.2.1']);
});

test('F6 > of two hosts that claim one underlay address at once, one gets it', async (t) => {
  const store = EmbeddedStore.memory();
  await using a = new Announced(store, A);
  await using b = new Announced(store, { ...B, vtep: A.vtep });
  const isSettled = ({ states }: Announced): boolean => states.length > 1;
  await until(t, 'both settled', () => isSettled(a) && isSettled(b));
  t.deepEqual(
    new Set([a, b].map(({ states }) => states[1]?.kind)),
    new Set(['announced', 'failed']),
  );
  t.is((await store.list('hosts/')).length, 1);
});

test('hosts > an address that its host gave up goes to the one that waits for it', async (t) => {
  const store = EmbeddedStore.memory();
  await using a = new Announced(store, A);
  await a.reaches(t, 'announced');
  await using b = new Announced(store, { ...B, vtep: A.vtep });
  await b.reaches(t, 'failed');
  a.announcer.update(hostDocument('a', '192.0.2.9'));
  await b.reaches(t, 'announced');
  t.deepEqual(await keysOf(store), [
    'hosts/host-a',
    'hosts/host-b',
    'members/host-a',
    'members/host-b',
    'vteps/192.0.2.1',
    'vteps/192.0.2.9',
  ]);
});

test('hosts > a new announcement replaces the old one without a gap', async (t) => {
  const store = EmbeddedStore.memory();
  await using a = new Announced(store, A);
  await a.reaches(t, 'announced');
  const seen: string[] = [];
  const watching = new AbortController();
  const watch = (async () => {
    for await (const { entries } of store.watch('hosts/', watching)) {
      const text = entries.get('hosts/host-a')?.value;
      seen.push(text === undefined ? 'gone' : (JSON.parse(text) as HostDocument).vtep);
    }
  })();
  a.announcer.update(hostDocument('a', '192.0.2.9'));
  await until(t, 'the new address', () => seen.at(-1) === '192.0.2.9');
  await until(t, 'the old claim gone', async () => !(await store.get('vteps/192.0.2.1')));
  watching.abort();
  await watch;
  t.deepEqual(seen, ['192.0.2.1', '192.0.2.9']);
});

test('hosts > a host whose lease is lost announces itself again', async (t) => {
  const store = new LossyStore(EmbeddedStore.memory());
  await using a = new Announced(store, A);
  await a.reaches(t, 'announced');
  await store.loseLeases();
  t.deepEqual(await keysOf(store), ['members/host-a']);
  await until(t, 'announced again', () => a.states.length > 2);
  t.deepEqual(await keysOf(store), ['hosts/host-a', 'members/host-a', 'vteps/192.0.2.1']);
});

test('hosts > an announcement that somebody deletes is put back', async (t) => {
  const store = EmbeddedStore.memory();
  await using a = new Announced(store, A);
  await a.reaches(t, 'announced');
  await store.transact([{ op: 'delete', key: 'hosts/host-a' }]);
  await until(t, 'it is back', async () => (await store.get('hosts/host-a')) !== undefined);
});

test('hosts > a copy of a live host is refused, and takes its place only when it is gone', async (t) => {
  const store = new LossyStore(EmbeddedStore.memory());
  const a = new Announced(store, { ...A, instance: 'first' });
  await a.reaches(t, 'announced');
  await using copy = new Announced(store, {
    ...A,
    name: 'copy',
    vtep: B.vtep,
    instance: 'second',
  });
  await copy.reaches(t, 'failed');
  t.is(copy.failure().code, 'HOST_ID_TAKEN');
  t.regex(copy.failure().message, /^host a at 192\.0\.2\.1 .*host-a.*copied.*state directory/);
  t.is(copy.standing.refusal?.code, 'HOST_ID_TAKEN');
  const fenced = new FencedStore(store, copy.standing);
  const write = fenced.transact([{ op: 'set', key: 'endpoints/n/host-a', value: '{}' }]);
  await t.throwsAsync(write, { code: 'HOST_ID_TAKEN' }, 'the copy writes nothing');
  t.is(a.states.length, 2, 'the first one was never disturbed');
  await a[Symbol.asyncDispose]();
  await store.loseLeases();
  copy.standing.onReachable();
  await copy.reaches(t, 'announced');
  await fenced.transact([{ op: 'set', key: 'endpoints/n/host-a', value: '{}' }]);
  const stale = new FencedStore(store, a.standing);
  const late = stale.transact([{ op: 'set', key: 'endpoints/n/host-a', value: '{"late":1}' }]);
  await t.throwsAsync(
    late,
    { code: 'UNAVAILABLE' },
    'what the first one still writes does not count',
  );
});

test('hosts > a host that comes back before its lease has ended is told to wait, and announced then', async (t) => {
  const store = new LossyStore(EmbeddedStore.memory());
  const before = new Announced(store, { ...A, instance: 'before the power cut' });
  await before.reaches(t, 'announced');
  await using after = new Announced(store, { ...A, instance: 'after it' });
  await after.reaches(t, 'failed');
  t.is(after.failure().code, 'HOST_ID_TAKEN');
  t.regex(after.failure().message, /^this host is still announced .* within 20 seconds, then/);
  await before[Symbol.asyncDispose]();
  await store.loseLeases();
  after.standing.onReachable();
  await after.reaches(t, 'announced');
});

test('hosts > a host announces itself when the store is back', async (t) => {
  const inner = EmbeddedStore.memory();
  const shakiness = { random: Math.random, failures: 1 };
  await using a = new Announced(new ShakyStore(inner, shakiness), A);
  await a.reaches(t, 'failed');
  t.is(a.failure().code, 'UNAVAILABLE');
  shakiness.failures = 0;
  await a.reaches(t, 'announced');
});

test('hosts > a daemon that stops leaves its announcement to its lease, the next one takes it over', async (t) => {
  const store = new LossyStore(EmbeddedStore.memory());
  const first = new Announced(store, A);
  await first.reaches(t, 'announced');
  await first[Symbol.asyncDispose]();
  t.deepEqual(await keysOf(store), ['hosts/host-a', 'members/host-a', 'vteps/192.0.2.1']);

  const second = new LossyStore(store);
  await using again = new Announced(second, { ...A, startedAt: '2026-02-02T00:00:00.000Z' });
  await again.reaches(t, 'announced');
  const { length } = await keysOf(store);
  t.is(length, 3);
});

test('hosts > the first one marks the layout, and who does not know a newer one is refused and writes nothing', async (t) => {
  const store = new LossyStore(EmbeddedStore.memory());
  await using a = new Announced(store, A);
  await a.reaches(t, 'announced');
  t.is((await store.get('layout'))?.value, '{"v":1}');
  const fenced = new FencedStore(store, a.standing);
  const write = async () => fenced.transact([{ op: 'set', key: 'vnis/7', value: '{}' }]);
  await write();
  // As a newer weft would: the marker, then each host's ground.
  const member = await store.get('members/host-a');
  await store.transact([
    { op: 'set', key: 'layout', value: '{"v":2}' },
    { op: 'set', key: 'members/host-a', value: member!.value.replace('"v":1', '"v":2') },
  ]);
  await t.throwsAsync(write(), undefined, 'the ground is another');
  await store.loseLeases();
  await a.reaches(t, 'failed');
  t.is(a.failure().code, 'LAYOUT_NEWER');
  t.regex(a.failure().message, /layout 2 .*upgrade weft on this host/);
  await t.throwsAsync(write(), { code: 'LAYOUT_NEWER' });
  t.is((await store.get('layout'))?.value, '{"v":2}');
});

test('hosts > a membership that a newer weft wrote is not written over', async (t) => {
  const store = EmbeddedStore.memory();
  const value = '{"v":2,"removed":"in its own way"}';
  await store.transact([{ op: 'set', key: 'members/host-a', value }]);
  await using a = new Announced(store, A);
  await a.reaches(t, 'failed');
  t.is(a.failure().code, 'LAYOUT_NEWER');
  t.is((await store.get('members/host-a'))?.value, value);
});
