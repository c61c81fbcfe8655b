import test from 'ava';
import { parseAddress } from '../../../src/net/index.js';
import { EmbeddedStore } from '../../../src/store/index.js';
import { Clock, IpamHost } from '../../helpers/ipam-host.js';

const MINUTE = 60_000;

test('reclaim > D4: a thousand crashes later, the store has exactly what is alive', async (t) => {
  await using shared = EmbeddedStore.memory();
  const clock = new Clock();
  await using a = await IpamHost.open(shared, 'a', { now: clock.now });
  await using b = await IpamHost.open(shared, 'b', { now: clock.now });
  const onA = await a.network({ network: 'web', subnet: '10.203.0.0/28' });
  const onB = await b.network({ network: 'web' });
  const kept = await b.address(onB);
  for (let i = 0; i < 1000; i += 1) {
    // The engine dies: nothing is ever released.
    await a.address(onA);
    if (i % 100 === 0) {
      await a.stop();
      await a.start();
    }
    if (i % 10 === 9) {
      clock.ms += 2 * MINUTE;
      const { freed } = await a.reclaim({ '10.203.0.0/28': [] }, MINUTE);
      t.is(freed.length, 10);
    }
  }
  await a.ipam.idle();
  const taken = (await shared.list('blocks/')).flatMap(({ value }) =>
    Object.keys((JSON.parse(value) as { taken: object }).taken),
  );
  t.deepEqual(taken, [kept]);
  const all = new Set([kept]);
  for (let i = 0; i < 12; i += 1) all.add(await a.address(onA));
  t.is(all.size, 13);
  await t.throwsAsync(a.address(onA), { code: 'POOL_FULL', message: /a 12, b 1/ });
});

test('reclaim > leaves alone what is young, live, attached, or another host’s', async (t) => {
  await using shared = EmbeddedStore.memory();
  const clock = new Clock();
  await using a = await IpamHost.open(shared, 'a', { now: clock.now });
  await using b = await IpamHost.open(shared, 'b', { now: clock.now });
  const onA = await a.network({ network: 'web', subnet: '10.203.0.0/24' });
  const onB = await b.network({ network: 'web' });
  const live = await a.address(onA);
  const attached = await a.address(onA);
  const lost = await a.address(onA, '10.203.0.99');
  await b.address(onB);
  await a.ipam.attach('10.203.0.0-24', attached as never, 'endpoint1');
  clock.ms += 5 * MINUTE;
  const young = await a.address(onA);
  const report = await a.reclaim({ '10.203.0.0/24': [live] }, MINUTE);
  t.deepEqual(report, { freed: [lost as never], adopted: [], conflicts: [], pools: [] });
  await t.throwsAsync(b.address(onB, young), { code: 'ADDRESS_TAKEN' });
});

test('reclaim > gives up pools that Docker here has no network for, and keeps those just granted', async (t) => {
  await using shared = EmbeddedStore.memory();
  const clock = new Clock();
  await using host = await IpamHost.open(shared, 'a', { now: clock.now });
  await host.network({ subnet: '10.203.0.0/24' });
  clock.ms += 5 * MINUTE;
  const granted = await host.pool({ subnet: '10.204.0.0/24' });
  t.deepEqual((await host.reclaim({}, MINUTE)).pools, ['10.203.0.0/24' as never]);
  await host.ipam.idle();
  t.deepEqual(
    (await shared.list('pools/')).map(({ key }) => key),
    ['pools/10.204.0.0-24'],
  );
  t.truthy(await host.gateway(granted.poolId));
});

test('reclaim > finds pools that only the store remembers', async (t) => {
  await using shared = EmbeddedStore.memory();
  await using host = await IpamHost.open(shared, 'a');
  const id = await host.network({ network: 'web', subnet: '10.203.0.0/24' });
  const address = await host.address(id);
  await host.stop();
  await using fresh = await IpamHost.open(shared, 'a');
  t.not(await fresh.address(id), address, 'the disk was lost, the network goes on');
  await fresh.reclaim({});
  await fresh.ipam.idle();
  t.deepEqual(
    (await shared.list('')).map(({ key }) => key),
    ['pools-guard'],
  );
});

test('reclaim > a store restored from a backup is told again what is live, once in doubt', async (t) => {
  await using shared = EmbeddedStore.memory();
  await using a = await IpamHost.open(shared, 'a');
  const onA = await a.network({ network: 'web', subnet: '10.203.0.0/24' });
  const first = await a.address(onA);
  const [backup] = await shared.list('blocks/');
  const live = await a.address(onA);
  await a.ipam.attach('10.203.0.0-24', parseAddress(live), 'endpoint');
  await a.reclaim({ '10.203.0.0/24': [first, live] }, MINUTE);
  await shared.transact([{ op: 'set', key: backup!.key, value: backup!.value }]);
  t.deepEqual((await a.reclaim({ '10.203.0.0/24': [first, live] }, MINUTE)).adopted, []);
  a.ipam.doubt();
  t.deepEqual((await a.reclaim({ '10.203.0.0/24': [first, live] }, MINUTE)).adopted, [
    live as never,
  ]);
  const block = (await shared.get(backup!.key))?.value;
  t.true(block?.includes(`"${live}":{"host":"a"`), block);
});

test('reclaim > W2: space of hosts that are replaced comes back to the last address', async (t) => {
  await using shared = EmbeddedStore.memory();
  await using keeper = await IpamHost.open(shared, 'keeper');
  const id = await keeper.network({ network: 'web', subnet: '10.203.0.0/26' });
  for (let i = 0; i < 20; i += 1) {
    await using host = await IpamHost.open(shared, `h${i}`);
    const on = await host.network({ network: 'web' });
    for (let k = 0; k < 10; k += 1) await host.address(on);
    await host.ipam.idle();
    await host.stop();
    await keeper.ipam.forgetHost(host.name, { signal: AbortSignal.timeout(5000) });
  }
  const all = new Set<string>();
  for (let i = 0; i < 61; i += 1) all.add(await keeper.address(id));
  t.is(all.size, 61);
});

test('reclaim > blocks that a host has no use for go back to all', async (t) => {
  await using shared = EmbeddedStore.memory();
  const clock = new Clock();
  await using host = await IpamHost.open(shared, 'a', { now: clock.now });
  const id = await host.network({ subnet: '10.203.0.0/24' });
  const addresses = [];
  for (let i = 0; i < 100; i += 1) addresses.push(await host.address(id));
  for (const address of addresses) await host.release(id, address);
  clock.ms += 2 * MINUTE;
  await host.reclaim({ '10.203.0.0/24': [] }, MINUTE);
  await host.ipam.idle();
  const owners = (await shared.list('blocks/')).map(
    ({ value }) => (JSON.parse(value) as { host?: string }).host,
  );
  t.is(owners.filter((owner) => owner === 'a').length, 1);
});

test('reclaim > says so when the store is away', async (t) => {
  await using shared = EmbeddedStore.memory();
  await using host = await IpamHost.open(shared, 'a');
  host.store.weather = 'down';
  await t.throwsAsync(host.reclaim({}), { code: 'STORE_UNAVAILABLE' });
});
