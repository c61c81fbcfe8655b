import { once } from 'node:events';
import { createServer } from 'node:net';
import { inspect } from 'node:util';
import test from 'ava';
import { ConsulStore, type Store } from '../../../src/store/index.js';
import type { Fate, Reply } from '../../helpers/consul-proxy.js';
import { Follower, World, calls, failure } from '../../helpers/consul-world.js';
import { type ConsulServer, startConsul, until } from '../../helpers/consul.js';
import { Watch, put, set, textOf, within } from '../../helpers/store-contract-tools.js';

// Calls, one real Consul, and between them a proxy that breaks what each test says.

let consul: ConsulServer;

test.before(async () => {
  consul = await startConsul();
});
test.after.always(async () => consul?.[Symbol.asyncDispose]());

test('consul calls > say at once that nobody listens, and where', async (t) => {
  await using world = await World.open(consul, { timeoutMs: 20_000 });
  await world.proxy.refuse();
  for (const [name, run] of calls(world.store)) {
    const { error, ms } = await failure(run);
    t.is(error.code, 'UNAVAILABLE', name);
    t.is(error.message, `consul at ${world.proxy.address} refuses connections`, name);
    t.true(ms < 10_000, `${name} took ${ms} ms`);
  }
});

test('consul calls > end in time when a server accepts and never answers', async (t) => {
  const hole = createServer(() => undefined);
  hole.listen(0, '127.0.0.1');
  await once(hole, 'listening');
  const address = `http://127.0.0.1:${(hole.address() as { port: number }).port}`;
  const store = new ConsulStore({ address, timeoutMs: 300 });
  const failures = await Promise.all(calls(store).map(async ([, run]) => failure(run)));
  for (const { error, ms } of failures) {
    t.is(error.code, 'UNAVAILABLE');
    t.is(error.message, `consul at ${address} did not answer within 300 ms`);
    t.true(ms > 250 && ms < 10_000, `${ms} ms`);
  }
  await store[Symbol.asyncDispose]();
  hole.close();
});

test('consul calls > are bounded while they wait for a socket, too', async (t) => {
  await using world = await World.open(consul, { timeoutMs: 400 });
  world.proxy.fate = () => 'hold';
  const many = Array.from({ length: 100 }, async () => failure(async () => world.store.get('k')));
  const failures = await Promise.all(many);
  for (const { error, ms } of failures) {
    t.is(error.code, 'UNAVAILABLE');
    t.true(ms < 10_000, `${ms} ms`);
  }
  world.proxy.fate = () => 'pass';
  t.is(await world.store.get('k'), undefined);
});

test('consul calls > are given up the moment their signal aborts', async (t) => {
  await using world = await World.open(consul, { timeoutMs: 20_000 });
  world.proxy.fate = () => 'hold';
  const controller = new AbortController();
  const { signal } = controller;
  const begin = performance.now();
  const waiting = [
    world.store.get('k', { signal }),
    world.store.list('', { signal }),
    world.store.transact([set('k', '1')], { signal }),
  ];
  setTimeout(() => controller.abort(new Error('given up')), 50);
  for (const call of waiting) await t.throwsAsync(call, { message: 'given up' });
  t.true(performance.now() - begin < 10_000);
});

test('consul calls > end when the store is closed, and watches with them', async (t) => {
  await using world = await World.open(consul, { timeoutMs: 20_000 });
  const watch = new Watch(world.store, '');
  await watch.next();
  world.proxy.fate = () => 'hold';
  const waiting = calls(world.store).map(async ([, run]) => failure(run));
  await until(() => world.proxy.seen.length >= 6, 'requests under way');
  await within(world.store[Symbol.asyncDispose]());
  for (const { error } of await within(Promise.all(waiting))) t.is(error.code, 'STORE_CLOSED');
  await within(watch.ended());
  await t.throwsAsync(async () => world.store.watch('', { signal: AbortSignal.abort() }), {
    code: 'STORE_CLOSED',
  });
});

const nonsense: readonly [string, Partial<Reply>][] = [
  ['half of its JSON', json('[{"Key":"weft/')],
  ['an empty body', json('')],
  ['null', json('null')],
  ['an empty list', json('[]')],
  ['an object', json('{}')],
  ['a list of null', json('[null]')],
  ['a list of numbers', json('[1]')],
  ['a key from elsewhere', json('[{"Key":"other","Value":"","ModifyIndex":1}]')],
  ['a key without version', json('[{"Key":"weft/fault-","Value":""}]')],
  ['a page of HTML', { status: 200, headers: { 'content-type': 'text/html' }, body: text('<p>') }],
  ['a page that says 404', { status: 404, headers: {}, body: text('not found') }],
  ['nothing', { status: 204, headers: {}, body: text('') }],
];

for (const [title, reply] of nonsense) {
  test(`consul calls > take no nonsense for a state: ${title}`, async (t) => {
    await using world = await World.open(consul);
    await put(world.direct, { k: '1' });
    world.proxy.fate = () => (real) => ({ ...real, ...reply });
    for (const [name, run] of calls(world.store)) {
      if (name === 'transact' && title === 'a page that says 404') continue;
      const { error } = await failure(run);
      const isRefusal = reply.status === 404 && !['get', 'list'].includes(name);
      t.is(error.code, isRefusal ? 'STORE_REFUSED' : 'UNAVAILABLE', name);
    }
    await using watch = new Watch(world.store, '');
    const first = watch.next();
    await until(() => world.proxy.seen.length > 6, 'a second try of the watch');
    world.proxy.fate = () => 'pass';
    t.deepEqual(await first, { entries: ['k=1'], changed: ['k'] });
  });
}

test('consul calls > fail at once when a reply is cut in the middle', async (t) => {
  await using world = await World.open(consul, { timeoutMs: 20_000 });
  await put(world.direct, { k: 'x'.repeat(5_000) });
  world.proxy.fate = () => (reply) => ({ ...reply, cutAt: Math.floor(reply.body.length / 2) });
  for (const [name, run] of calls(world.store)) {
    const { error, ms } = await failure(run);
    t.is(error.code, 'UNAVAILABLE', name);
    t.true(ms < 10_000, `${name} took ${ms} ms`);
  }
});

test('consul calls > have no token in any error', async (t) => {
  const token = '6f1d7a52-secret';
  const fates: Fate[] = [
    'reset',
    (reply) => ({ ...reply, status: 500, body: text('No cluster leader') }),
    (reply) => ({ ...reply, status: 403, body: text('Permission denied') }),
    (reply) => ({ ...reply, cutAt: 1 }),
    (reply) => ({ ...reply, body: text('{') }),
    'hold',
  ];
  await using world = await World.open(consul, { timeoutMs: 300, token });
  for (const fate of fates) {
    world.proxy.fate = () => fate;
    for (const [name, run] of calls(world.store)) {
      const { error } = await failure(run);
      const shownAll = inspect(error, { depth: 20, showHidden: true }) + JSON.stringify(error);
      t.false(shownAll.includes(token), `${name}: ${error.message}`);
    }
  }
  t.false(inspect(world.store, { depth: 20 }).includes(token));
});

test('consul calls > say what Consul finds too large', async (t) => {
  await using own = await startConsul({
    config: { limits: { txn_max_req_len: 1_000, kv_max_value_size: 1_000 } },
  });
  const store = new ConsulStore({ address: own.address });
  const { error } = await failure(async () => store.transact([set('k', 'x'.repeat(2_000))]));
  t.like(error.detail, { code: 'STORE_REFUSED', status: 413 });
  t.regex(error.message, /too large.*1000/);
  await store[Symbol.asyncDispose]();
});

test('consul calls > keep prefixes apart', async (t) => {
  const at = (prefix: string): Store => new ConsulStore({ address: consul.address, prefix });
  const stores = [at('apart/v1/'), at('apart/v10/'), at('apart/')] as const;
  const [one, ten, root] = stores;
  await put(one, { k: '1' });
  await put(ten, { k: '10' });
  t.deepEqual(await textOf(one), ['k=1']);
  t.deepEqual(await textOf(ten), ['k=10']);
  t.deepEqual(await textOf(root), ['v1/k=1', 'v10/k=10']);
  for (const store of stores) await store[Symbol.asyncDispose]();
});

test('consul calls > are not kept waiting by many watches', async (t) => {
  await using world = await World.open(consul);
  const watches = Array.from({ length: 100 }, (_, i) => new Follower(world.store, `n${i}/`));
  await until(() => watches.every(({ changes }) => changes.length === 1), 'all watches');
  const begin = performance.now();
  for (let i = 0; i < 50; i += 1) await world.store.get('k');
  const ms = performance.now() - begin;
  t.true(ms < 10_000, `${ms} ms`);
  for (const watch of watches) await watch[Symbol.asyncDispose]();
});

function json(body: string): Partial<Reply> {
  return {
    status: 200,
    headers: { 'content-type': 'application/json', 'x-consul-index': '9' },
    body: text(body),
  };
}

function text(value: string): Buffer {
  return Buffer.from(value);
}
