import test from 'ava';
import {
  FencedStore,
  HostAnnouncer,
  Members,
  type MemberDocument,
  Networks,
  Standing,
  clusterKeys,
} from '../../../src/cluster/index.js';
import { parseHost, parseMember } from '../../../src/cluster/documents.js';
import { EmbeddedStore, type Store } from '../../../src/store/index.js';
import { hasCode } from '../../../src/util/index.js';
import { hostDocument, until } from '../../helpers/cluster.js';
import { GatedStore } from '../../helpers/gated-store.js';

const DAY_MS = 86_400_000;

/** A host with all that makes it a member; time is the test's. */
class Member implements AsyncDisposable {
  readonly standing: Standing;
  readonly fenced: FencedStore;
  readonly members: Members;
  readonly networks: Networks;
  readonly announcer: HostAnnouncer;
  readonly freed: string[] = [];
  readonly inUse: string[] = [];
  rejoined = 0;
  time = { wall: 1_000_000, steady: 0 };
  live = new Set<string>();
  free = async (host: string, store: Store): Promise<void> => {
    await new Networks(store, this.id).expel(host, { signal: AbortSignal.timeout(5000) });
    this.freed.push(host);
  };
  readonly id: string;
  readonly store: Store;

  constructor(store: Store, name: string, number: number) {
    this.store = store;
    this.id = `host-${name}`;
    const document = { ...hostDocument(name, `192.0.2.${number}`), instance: `${name}-1` };
    this.standing = new Standing(clusterKeys.member(this.id), store.kind);
    this.fenced = new FencedStore(store, this.standing);
    this.networks = new Networks(this.fenced, this.id);
    this.announcer = new HostAnnouncer(store, document, {
      onState: () => undefined,
      standing: this.standing,
      inUse: () => this.inUse,
      onRejoin: async () => void (this.rejoined += 1),
    });
    this.members = new Members({
      store: this.fenced,
      self: { id: this.id, name },
      live: () => [...this.live].map((other) => hostDocument(other, '192.0.2.99')),
      mayJudge: () => this.standing.isMember,
      graceMs: DAY_MS,
      free: async (host, through) => this.free(host, through),
      onRemoved: () => undefined,
      onError: (error) => {
        throw error;
      },
      onDamage: () => undefined,
      clock: () => this.time.wall,
      uptime: () => this.time.steady,
    });
    this.announcer.start();
  }

  async announced(): Promise<this> {
    await this.standing.version(undefined);
    return this;
  }

  /** Its daemon ends and its lease with it: what a power cut comes to. */
  async dies(): Promise<void> {
    await this.announcer[Symbol.asyncDispose]();
    const host = await this.store.get(`hosts/${this.id}`);
    const vtep = host && parseHost(host.value)?.vtep;
    await this.store.transact([
      { op: 'delete', key: `hosts/${this.id}` },
      { op: 'delete', key: `vteps/${vtep}` },
    ]);
  }

  pass(ms: number): void {
    this.time.wall += ms;
    this.time.steady += ms;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.members[Symbol.asyncDispose]();
    await this.announcer[Symbol.asyncDispose]();
  }
}

async function memberOf(store: Store, id: string): Promise<MemberDocument | undefined> {
  const entry = await store.get(`members/${id}`);
  return entry && parseMember(entry.value);
}

const soon = (): AbortSignal => AbortSignal.timeout(5000);
const patient = { signal: AbortSignal.timeout(60_000) };

test('members > a live host is not removed; a dead one is, with its networks, and writes nothing more', async (t) => {
  const store = EmbeddedStore.memory();
  await using a = await new Member(store, 'a', 1).announced();
  await using b = await new Member(store, 'b', 2).announced();
  const { id } = await b.networks.create({ name: 'web', internal: false, pools: [] });
  await a.networks.join(id, patient);
  a.live = new Set(['a', 'b']);
  await t.throwsAsync(a.members.remove('b', soon()), { code: 'HOST_LIVE' });
  a.live = new Set(['a']);
  await t.throwsAsync(a.members.remove('host-b', soon()), { code: 'HOST_LIVE' }, 'by its lease');
  await t.throwsAsync(a.members.remove('c', soon()), { code: 'UNKNOWN_HOST' });

  await b.dies();
  await a.members.remove('b', soon());
  t.true((await memberOf(store, 'host-b'))?.removed?.freed);
  t.is(await store.get(`endpoints/${id}/host-b`), undefined);
  t.truthy(await store.get(`networks/${id}`), 'a still has it');
  const late = b.fenced.transact([{ op: 'set', key: `endpoints/${id}/host-b`, value: '{}' }]);
  await t.throwsAsync(late, { code: 'UNAVAILABLE' });
  await a.members.remove('host-b', soon());
  t.deepEqual(a.freed, ['host-b'], 'once');
});

test('members > three hosts that remove one at once free it once, and all are told when it is done', async (t) => {
  const store = EmbeddedStore.memory();
  const names = ['a', 'b', 'c', 'gone'];
  const hosts = await Promise.all(
    names.map(async (n, i) => new Member(store, n, i + 1).announced()),
  );
  const gone = hosts.pop()!;
  const { id } = await gone.networks.create({ name: 'web', internal: false, pools: [] });
  await gone.dies();
  await Promise.all(hosts.map(async ({ members }) => members.remove('host-gone', soon())));
  t.deepEqual(
    hosts.flatMap(({ freed }) => freed),
    ['host-gone'],
  );
  t.is(await store.get(`networks/${id}`), undefined, 'the last one took it along');
  for (const host of [...hosts, gone]) await host[Symbol.asyncDispose]();
});

test('members > a host that is away is removed after the grace, by the store and by what the remover has seen itself', async (t) => {
  const store = EmbeddedStore.memory();
  await using a = await new Member(store, 'a', 1).announced();
  await using b = await new Member(store, 'b', 2).announced();
  a.live = new Set(['a', 'b']);
  a.members.start();
  await until(t, 'both known', () => a.members.all().length === 2);
  await a.members.sweep();
  await b.dies();
  a.live = new Set(['a']);
  await a.members.sweep();
  t.truthy(await store.get('away/host-b'));
  a.time.wall += 3 * DAY_MS;
  await a.members.sweep();
  t.falsy((await memberOf(store, 'host-b'))?.removed, 'a clock that jumps removes nobody');
  a.pass(300_000);
  await a.members.sweep();
  await until(t, 'freed', async () => (await memberOf(store, 'host-b'))?.removed?.freed === true);
  t.is(await store.get('away/host-b'), undefined);
  a.pass(91 * DAY_MS);
  await a.members.sweep();
  t.is(await memberOf(store, 'host-b'), undefined, 'its tombstone goes at last');
});

test('members > a host that comes back before the grace is missed no more', async (t) => {
  const store = EmbeddedStore.memory();
  await using a = await new Member(store, 'a', 1).announced();
  const b = await new Member(store, 'b', 2).announced();
  a.members.start();
  await until(t, 'both known', () => a.members.all().length === 2);
  await b.dies();
  a.live = new Set(['a']);
  await a.members.sweep();
  t.truthy(await store.get('away/host-b'));
  await using again = await new Member(store, 'b', 2).announced();
  t.is(await store.get('away/host-b'), undefined);
  a.pass(2 * DAY_MS);
  await a.members.sweep();
  t.falsy((await memberOf(store, 'host-b'))?.removed, 'it is announced, whatever a thinks');
  t.true(again.standing.isMember);
});

test('members > a dead host that was alive is refused while its containers run, and joins again when they are gone', async (t) => {
  const store = EmbeddedStore.memory();
  await using a = await new Member(store, 'a', 1).announced();
  const b = await new Member(store, 'b', 2).announced();
  a.live = new Set(['a']);
  await b.dies();
  await a.members.remove('b', soon());
  await using back = new Member(store, 'b', 2);
  back.inUse.push('api', 'db');
  await until(t, 'refused', () => back.standing.refusal?.code === 'HOST_REMOVED');
  t.regex(back.standing.refusal!.message, /removed .* by a at .*docker stop api db/);
  const give = back.standing.assertMayGive(soon());
  await t.throwsAsync(give, { code: 'HOST_REMOVED' }, 'no address');
  t.is(await store.get('hosts/host-b'), undefined, 'it announces nothing');
  t.is(back.rejoined, 0);
  back.inUse.length = 0;
  await back.standing.assertMayGive(soon());
  t.is(back.rejoined, 1);
  t.truthy(await store.get('hosts/host-b'));
  t.is((await memberOf(store, 'host-b'))?.removed, undefined);
});

test('members > who dies while freeing a host is relieved, and can not go on when it wakes', async (t) => {
  const store = EmbeddedStore.memory();
  await using a = await new Member(store, 'a', 1).announced();
  await using b = await new Member(store, 'b', 2).announced();
  await using gone = await new Member(store, 'gone', 3).announced();
  await gone.dies();
  let wake = (): void => undefined;
  const frozen = new Promise<void>((resolve) => (wake = resolve));
  a.free = async (_, through) => {
    await frozen;
    await through.transact([{ op: 'set', key: 'endpoints/n/late', value: '{}' }]);
  };
  const stuck = a.members.remove('gone', soon());
  await until(t, 'buried', async () => (await memberOf(store, 'host-gone'))?.removed !== undefined);
  b.live = new Set(['a', 'b']);
  b.members.start();
  await until(t, 'known', () => b.members.all().some(({ removed }) => removed));
  await b.members.sweep();
  t.deepEqual(b.freed, [], 'not yet');
  b.pass(31_000);
  await b.members.sweep();
  t.deepEqual(b.freed, ['host-gone']);
  wake();
  const error = await t.throwsAsync(stuck);
  t.false(hasCode(error, 'UNAVAILABLE'));
  t.is(await store.get('endpoints/n/late'), undefined);
});

test('members > a host that came second to remove one goes on, and relieves the first when that dies', async (t) => {
  const store = EmbeddedStore.memory();
  const gate = new GatedStore(store);
  await using a = await new Member(store, 'a', 1).announced();
  await using b = await new Member(gate, 'b', 2).announced();
  await using gone = await new Member(store, 'gone', 3).announced();
  for (const host of [a, b]) {
    host.live = new Set(['a', 'b']);
    host.members.start();
    await until(t, 'all known', () => host.members.all().length === 3);
  }
  await gone.dies();
  let wake = (): void => undefined;
  const frozen = new Promise<void>((resolve) => (wake = resolve));
  a.free = async () => frozen;
  for (const host of [a, b]) await host.members.sweep();
  for (const host of [a, b]) host.pass(2 * DAY_MS);
  const { arrived, open } = gate.hold(({ key }) => key === 'members/host-gone');
  const second = b.members.sweep();
  await arrived;
  const first = a.members.sweep();
  await until(t, 'buried', async () => (await memberOf(store, 'host-gone'))?.removed !== undefined);
  open();
  await second;
  t.deepEqual(b.freed, []);
  const isKnown = (): boolean => b.members.all().some(({ removed }) => removed !== undefined);
  await until(t, 'b has heard of it', isKnown);
  await b.members.sweep();
  b.pass(31_000);
  await b.members.sweep();
  t.deepEqual(b.freed, ['host-gone']);
  wake();
  await first;
});
