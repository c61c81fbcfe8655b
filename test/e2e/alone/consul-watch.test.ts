import { setTimeout as delay } from 'node:timers/promises';
import test from 'ava';
import { ConsulStore } from '../../../src/store/index.js';
import type { Fate } from '../../helpers/consul-proxy.js';
import { Follower, World, calls, failure } from '../../helpers/consul-world.js';
import { type ConsulServer, startConsul, until } from '../../helpers/consul.js';
import { put, set, textOf } from '../../helpers/store-contract-tools.js';

// Watches of a real Consul through a proxy that breaks what each test says.

let consul: ConsulServer;

test.before(async () => {
  consul = await startConsul();
});
test.after.always(async () => consul?.[Symbol.asyncDispose]());

test('consul watch > rides out a Consul that stands still, and hears of it by other calls', async (t) => {
  await using world = await World.open(consul, { timeoutMs: 500 });
  await using follower = new Follower(world.store, '');
  await until(() => follower.changes.length === 1, 'the first snapshot');
  // A query is left alone for its first two seconds.
  await delay(2_100);
  await consul.pause();
  try {
    for (const [name, run] of calls(world.store)) {
      const { error, ms } = await failure(run);
      t.is(error.code, 'UNAVAILABLE', name);
      t.true(ms < 10_000, `${name} took ${ms} ms`);
    }
    await until(() => follower.states.at(-1) === false, 'word of the outage');
  } finally {
    consul.resume();
  }
  await consul.ready();
  await put(world.direct, { 'n/b': '1' });
  await until(() => follower.latest.includes('n/b=1'), 'the change');
  t.deepEqual(follower.states, [true, false, true]);
  t.regex(follower.causes[0]?.message ?? '', /did not answer within 500 ms/);
});

test('consul watch > makes no snapshot of a reply that is cut, and a whole one after it', async (t) => {
  await using world = await World.open(consul);
  await put(world.direct, { 'n/a': '1', 'n/b': '1' });
  let cuts = 0;
  await using follower = new Follower(world.store, 'n/');
  await until(() => world.proxy.seen.length === 2, 'the query that waits');
  world.proxy.fate = (): Fate => {
    cuts += 1;
    return cuts > 3 ? 'pass' : (reply) => ({ ...reply, cutAt: reply.body.length - 40 });
  };
  // The query that waits is answered; the three after it are cut.
  await put(world.direct, { 'n/a': '2' });
  await until(() => follower.changes.length === 2, 'a snapshot');
  await put(world.direct, { 'n/b': '2', 'n/c': '2' });
  await until(() => follower.latest.length === 3, 'a whole snapshot');
  t.deepEqual(follower.changes, [['n/a', 'n/b'], ['n/a'], ['n/b', 'n/c']]);
  t.deepEqual(follower.latest, ['n/a=2', 'n/b=2', 'n/c=2']);
  t.deepEqual(follower.states, [true, false, true]);
});

test('consul watch > starts over when the index goes back', async (t) => {
  await using world = await World.open(consul);
  await put(world.direct, { 'n/a': '1' });
  await using follower = new Follower(world.store, 'n/');
  await until(() => world.proxy.seen.length === 2, 'the query that waits');
  let lies = 0;
  world.proxy.fate = (request) => (reply) => {
    if (!request.includes('index=') || lies === 3) return reply;
    lies += 1;
    // As from a server that lost its state: nothing there, and an index of its new life.
    const headers = { ...reply.headers, 'x-consul-index': '1' };
    return { status: 404, headers, body: Buffer.alloc(0) };
  };
  for (let i = 0; lies < 3; i += 1) {
    await put(world.direct, { 'n/b': String(i) });
    await until(() => follower.latest.includes(`n/b=${i}`), 'the change');
  }
  t.true(follower.latest.includes('n/a=1'));
  for (const changed of follower.changes.slice(1)) t.deepEqual(changed, ['n/b']);
});

for (const index of ['0', '-1', 'x', '']) {
  test(`consul watch > does not spin on the index "${index}"`, async (t) => {
    await using world = await World.open(consul);
    world.proxy.fate = () => (reply) => ({
      ...reply,
      headers: { ...reply.headers, 'x-consul-index': index },
    });
    await using _ = new Follower(world.store, '');
    await delay(1_000);
    t.true(world.proxy.seen.length < 100, `${world.proxy.seen.length} requests in a second`);
  });
}

for (const pulls of [true, false]) {
  const how = pulls ? 'while it is followed' : 'between two looks';
  test(`consul watch > sees that Consul lost its state, ${how}`, async (t) => {
    await using own = await startConsul();
    await using store = new ConsulStore({ address: own.address, timeoutMs: 1_000 });
    await put(store, { 'n/a': '1', 'n/b': '1' });
    for (let i = 0; i < 50; i += 1) await put(store, { filler: String(i) });
    let release = (): void => undefined;
    const gate = pulls ? undefined : new Promise<void>((resolve) => (release = resolve));
    await using follower = new Follower(store, 'n/', async () => gate);
    await until(() => follower.latest.length === 2, 'the first snapshot');
    await own.kill();
    await own.wipe();
    await own.run();
    await own.ready();
    release();
    await until(() => follower.latest.length === 0, 'the empty snapshot');
    await put(store, { 'n/a': '2' });
    await until(() => follower.latest.length === 1, 'the new key');
    t.deepEqual(follower.changes, [['n/a', 'n/b'], ['n/a', 'n/b'], ['n/a']]);
  });
}

test('consul watch > shows the whole state after an outage, and what changed in it', async (t) => {
  await using world = await World.open(consul);
  await put(world.direct, { 'n/a': '1', 'n/b': '1', 'n/c': '1' });
  await using follower = new Follower(world.store, 'n/');
  await until(() => follower.latest.length === 3, 'the first snapshot');
  await world.proxy.refuse();
  await until(() => follower.states.length === 2, 'word of the outage');
  await world.direct.transact([set('n/a', '2'), { op: 'delete', key: 'n/b' }, set('n/d', '1')]);
  await world.proxy.listen();
  await until(() => follower.states.length === 3, 'word of its end');
  t.deepEqual(follower.changes[1], ['n/a', 'n/b', 'n/d']);
  t.deepEqual(follower.latest, ['n/a=2', 'n/c=1', 'n/d=1']);
  t.deepEqual(follower.states, [true, false, true]);
  t.regex(follower.causes[0]?.message ?? '', /^consul at http:\/\/127\.0\.0\.1:\d+ /);
});

test('consul watch > keeps up through a flapping connection', async (t) => {
  await using world = await World.open(consul);
  await using follower = new Follower(world.store, 'n/');
  let turns = 0;
  world.proxy.fate = (request) => {
    const fate = (['pass', 'reset', 'hold', 'pass'] as const)[(turns += 1) % 4]!;
    // A query that waits may rightly wait for minutes.
    return fate === 'hold' && request.includes('index=') ? 'reset' : fate;
  };
  const acknowledged: string[] = [];
  const end = performance.now() + 4_000;
  for (let i = 0; performance.now() < end; i += 1) {
    const signal = AbortSignal.timeout(100);
    const outcome = await world.store
      .transact([set(`n/${i}`, '1', { ifVersion: 0 })], { signal })
      .catch(() => undefined);
    if (outcome?.ok) acknowledged.push(`n/${i}=1`);
  }
  world.proxy.fate = () => 'pass';
  const truth = await textOf(world.direct, 'n/');
  t.true(acknowledged.length > 10);
  const lost = acknowledged.filter((line) => !truth.includes(line));
  t.deepEqual(lost, []);
  await until(() => follower.latest.length === truth.length, 'the watch to catch up');
  t.deepEqual(follower.latest, truth.toSorted());
});

test('consul watch > hears of a change at once when quiet, and seldom when busy', async (t) => {
  await using world = await World.open(consul);
  const sentAt = new Map<string, number>();
  const lateMs: number[] = [];
  await using follower = new Follower(world.store, 'n/', ({ changed, entries }) => {
    for (const key of changed) {
      lateMs.push(performance.now() - sentAt.get(entries.get(key)?.value ?? '')!);
    }
  });
  const write = async (key: string, value: string): Promise<void> => {
    sentAt.set(value, performance.now());
    await put(world.direct, { [key]: value });
  };
  await until(() => follower.changes.length === 1, 'the first snapshot');
  for (let i = 0; i < 20; i += 1) {
    await write('n/quiet', `q${i}`);
    await until(() => lateMs.length === i + 1, 'the change');
    await delay(30);
  }
  const quiet = lateMs.splice(0).toSorted((a, b) => a - b);
  // Not the median: on a busy machine that is the machine's.
  t.true(quiet[5]! < 15, `quartile ${quiet[5]} ms`);

  const before = follower.changes.length;
  const begin = performance.now();
  for (let i = 0; performance.now() - begin < 2_000; i += 1) await write(`n/${i % 20}`, `b${i}`);
  const perSecond = (follower.changes.length - before) / 2;
  t.true(perSecond > 5 && perSecond <= 45, `${perSecond} snapshots a second`);
  const busy = lateMs.toSorted((a, b) => a - b);
  t.true(busy[busy.length >> 2]! < 60, `quartile ${busy[busy.length >> 2]} ms`);
  t.log({
    quiet: quiet[10],
    perSecond,
    p50: busy[busy.length >> 1],
    p99: busy.at(-busy.length / 100),
  });
});

for (const away of ['refuses', 'holds'] as const) {
  test(`consul watch > costs next to no CPU while Consul ${away}`, async (t) => {
    await using world = await World.open(consul);
    if (away === 'refuses') await world.proxy.refuse();
    else world.proxy.fate = () => 'hold';
    const watches = Array.from({ length: 10 }, (_, i) => new Follower(world.store, `n${i}/`));
    await delay(3_000);
    const before = process.cpuUsage();
    await delay(4_000);
    const { user, system } = process.cpuUsage(before);
    const percent = (user + system) / 40_000;
    t.log(`${percent.toFixed(2)} % of a core for 10 watches`);
    t.true(percent < 5, `${percent} %`);
    for (const watch of watches) await watch[Symbol.asyncDispose]();
  });
}
