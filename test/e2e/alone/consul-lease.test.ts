import { once } from 'node:events';
import test from 'ava';
import { World } from '../../helpers/consul-world.js';
import { type ConsulServer, startConsul, until } from '../../helpers/consul.js';
import { LEASE, set } from '../../helpers/store-contract-tools.js';

// Leases on a real Consul; its shortest is ten seconds, so these take their time.

let consul: ConsulServer;

test.before(async () => {
  consul = await startConsul();
});
test.after.always(async () => consul?.[Symbol.asyncDispose]());

test('consul lease > is lost when renewals go unanswered for its length', async (t) => {
  await using world = await World.open(consul);
  const begin = performance.now();
  await using lease = await world.store.lease(LEASE);
  await world.store.transact([set('hosts/a', '1', { lease })]);
  world.proxy.fate = (request) => (request.includes('/session/renew/') ? 'hold' : 'pass');
  await once(lease.lost, 'abort', { signal: AbortSignal.timeout(20_000) });
  const ms = performance.now() - begin;
  t.true(ms > LEASE.ttlMs * 0.95 && ms < LEASE.ttlMs * 1.1, `${ms} ms`);
  t.truthy(await world.direct.get('hosts/a'), 'others see it a little longer than the holder');
  await t.throwsAsync(world.store.transact([set('k', '1', { lease })]), { code: 'LEASE_LOST' });
});

test('consul lease > outlives an outage that is shorter than it', async (t) => {
  await using world = await World.open(consul);
  const begin = performance.now();
  await using lease = await world.store.lease(LEASE);
  await world.store.transact([set('hosts/a', '1', { lease })]);
  await world.proxy.refuse();
  await until(() => performance.now() - begin > LEASE.ttlMs * 0.6, 'time');
  const seen = world.proxy.seen.length;
  await world.proxy.listen();
  await until(() => world.proxy.seen.length > seen, 'a renewal', LEASE.ttlMs * 0.3);
  await until(() => performance.now() - begin > LEASE.ttlMs * 1.2, 'time');
  t.false(lease.lost.aborted);
  t.truthy(await world.direct.get('hosts/a'));
});

test('consul lease > hears at the next renewal that Consul ended it', async (t) => {
  await using world = await World.open(consul);
  await using lease = await world.store.lease(LEASE);
  await world.store.transact([set('hosts/a', '1', { lease })]);
  await fetch(`${consul.address}/v1/session/destroy/${lease.id}`, { method: 'PUT' });
  t.is(await world.store.get('hosts/a'), undefined);
  await t.throwsAsync(world.store.transact([set('k', '1', { lease })]), { code: 'LEASE_LOST' });
  await once(lease.lost, 'abort', { signal: AbortSignal.timeout(LEASE.ttlMs / 2) });
  t.true(lease.lost.aborted);
});

test('consul lease > lives out its time when the store is closed', async (t) => {
  await using world = await World.open(consul);
  const lease = await world.store.lease(LEASE);
  await world.store.transact([set('hosts/a', '1', { lease })]);
  await world.store[Symbol.asyncDispose]();
  await lease[Symbol.asyncDispose]();
  t.truthy(await world.direct.get('hosts/a'));
  await until(async () => !(await world.direct.get('hosts/a')), 'end of the lease');
  t.pass();
});

test('consul lease > is ended by the store that has it, though Consul is away', async (t) => {
  await using world = await World.open(consul, { timeoutMs: 20_000 });
  const lease = await world.store.lease(LEASE);
  world.proxy.fate = () => 'hold';
  const begin = performance.now();
  await lease[Symbol.asyncDispose]();
  t.true(performance.now() - begin < 10_000);
  t.false(lease.lost.aborted);
});
