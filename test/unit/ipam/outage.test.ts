import { setTimeout as delay } from 'node:timers/promises';
import test from 'ava';
import { parseAddress } from '../../../src/net/index.js';
import { EmbeddedStore } from '../../../src/store/index.js';
import { Clock, IpamHost } from '../../helpers/ipam-host.js';

const short = { patienceMs: 100 };

test('outage > containers start from the reserve while the store is away, also after a restart', async (t) => {
  await using shared = EmbeddedStore.memory();
  await using a = await IpamHost.open(shared, 'a', short);
  await using b = await IpamHost.open(shared, 'b');
  const id = await a.network({ network: 'web', subnet: '10.192.0.0/20' });
  const onB = await b.network({ network: 'web' });
  await a.ipam.idle();
  a.store.weather = 'down';
  const got = [];
  for (let i = 0; i < 4; i += 1) got.push(await a.address(id));
  await a.stop();
  await a.start();
  for (let i = 0; i < 4; i += 1) got.push(await a.address(id));
  t.is(new Set(got).size, 8);
  await t.throwsAsync(a.address(id), { code: 'STORE_UNAVAILABLE', message: /out of reach/ });
  const others = [];
  for (let i = 0; i < 40; i += 1) others.push(await b.address(onB));
  t.is(new Set([...got, ...others]).size, 48);
  a.store.weather = 'fine';
  await a.ipam.idle();
  for (const address of got) {
    await t.throwsAsync(b.address(onB, address), { code: 'ADDRESS_TAKEN' }, address);
  }
});

test('outage > containers restart as often as they like, and keep addresses they were given by name', async (t) => {
  await using shared = EmbeddedStore.memory();
  await using host = await IpamHost.open(shared, 'a', short);
  const id = await host.network({ subnet: '10.192.0.0/20' });
  const named = await host.address(id, '10.192.3.3');
  let other = await host.address(id);
  await host.ipam.idle();
  host.store.weather = 'down';
  await t.throwsAsync(host.address(id, '10.192.9.9'), { code: 'STORE_UNAVAILABLE' });
  for (let i = 0; i < 20; i += 1) {
    await host.release(id, named);
    await host.release(id, other);
    t.is(await host.address(id, named), named);
    other = await host.address(id);
  }
  host.store.weather = 'fine';
  await host.ipam.idle();
  const report = await host.reclaim({ '10.192.0.0/20': [named, other] });
  t.deepEqual(report, { freed: [], adopted: [], conflicts: [], pools: [] });
});

test('outage > a release that may have got through unheard is not taken back without asking', async (t) => {
  await using shared = EmbeddedStore.memory();
  await using a = await IpamHost.open(shared, 'a', short);
  await using b = await IpamHost.open(shared, 'b');
  const onA = await a.network({ network: 'web', subnet: '10.192.0.0/20' });
  const onB = await b.network({ network: 'web' });
  await a.address(onA, '10.192.3.3');
  await a.ipam.idle();
  a.store.weather = 'deaf';
  await a.release(onA, '10.192.3.3');
  a.store.weather = 'down';
  t.is(await b.address(onB, '10.192.3.3'), '10.192.3.3');
  await t.throwsAsync(a.address(onA, '10.192.3.3'), { code: 'STORE_UNAVAILABLE' });
  a.store.weather = 'fine';
  await t.throwsAsync(a.address(onA, '10.192.3.3'), { code: 'ADDRESS_TAKEN' });
});

test('outage > releases are kept, over a restart too, and written when the store is back', async (t) => {
  await using shared = EmbeddedStore.memory();
  await using a = await IpamHost.open(shared, 'a', short);
  await using b = await IpamHost.open(shared, 'b');
  const id = await a.network({ network: 'web', subnet: '10.203.0.0/24' });
  const onB = await b.network({ network: 'web' });
  const address = await a.address(id, '10.203.0.100');
  a.store.weather = 'down';
  await a.release(id, address);
  await a.stop();
  await a.start();
  await t.throwsAsync(b.address(onB, address), { code: 'ADDRESS_TAKEN' });
  a.store.weather = 'fine';
  await a.ipam.idle();
  t.is(await b.address(onB, address), address);
});

test('outage > a release that was written is not repeated on whoever has the address next', async (t) => {
  await using shared = EmbeddedStore.memory();
  await using host = await IpamHost.open(shared, 'a');
  await using other = await IpamHost.open(shared, 'b');
  const id = await host.network({ network: 'web', subnet: '10.203.0.0/24' });
  const onB = await other.network({ network: 'web' });
  const address = await host.address(id, '10.203.0.100');
  await host.release(id, address);
  t.is(await host.address(id, address), address);
  await host.stop();
  await host.start();
  await host.ipam.idle();
  await t.throwsAsync(other.address(onB, address), { code: 'ADDRESS_TAKEN' });
});

test('outage > requests that wait get an address when the store comes back in time', async (t) => {
  await using shared = EmbeddedStore.memory();
  await using host = await IpamHost.open(shared, 'a', { patienceMs: 5000 });
  const id = await host.network({ subnet: '10.203.0.0/28' });
  host.store.weather = 'down';
  const waiting = [host.address(id), host.address(id), host.address(id, '10.203.0.9')];
  await new Promise((resolve) => setTimeout(resolve, 100));
  host.store.weather = 'fine';
  t.is(new Set(await Promise.all(waiting)).size, 3);
});

test('outage > what the store took without an answer is neither lost nor given twice', async (t) => {
  await using shared = EmbeddedStore.memory();
  await using host = await IpamHost.open(shared, 'a', short);
  const id = await host.network({ subnet: '10.203.0.0/28' });
  const first = await host.address(id);
  host.store.weather = 'deaf';
  await t.throwsAsync(host.address(id), { code: 'STORE_UNAVAILABLE' });
  await t.throwsAsync(host.address(id, '10.203.0.10'), { code: 'STORE_UNAVAILABLE' });
  host.store.weather = 'fine';
  const got = new Set([first]);
  for (let i = 0; i < 12; i += 1) got.add(await host.address(id));
  t.is(got.size, 13);
  await t.throwsAsync(host.address(id), { code: 'POOL_FULL' });
});

test('outage > a request whose caller has gone away leaves nothing taken', async (t) => {
  await using shared = EmbeddedStore.memory();
  await using host = await IpamHost.open(shared, 'a');
  const id = await host.network({ subnet: '10.203.0.0/28' });
  const asked = Array.from({ length: 5 }, async () =>
    host.ipam.requestAddress(
      { poolId: id, gateway: false },
      { requestId: '', signal: AbortSignal.abort() },
    ),
  );
  const outcomes = await Promise.allSettled(asked);
  t.true(outcomes.every(({ status }) => status === 'rejected'));
  const got = new Set<string>();
  for (let i = 0; i < 13; i += 1) got.add(await host.address(id));
  t.is(got.size, 13);
});

test('outage > a store that lost everything gets it back from the hosts', async (t) => {
  await using shared = EmbeddedStore.memory();
  await using a = await IpamHost.open(shared, 'a');
  await using b = await IpamHost.open(shared, 'b');
  const wish = { network: 'web', subnet: '10.203.0.0/24' };
  const onA = await a.network(wish);
  const onB = await b.network(wish);
  const mine = [await a.address(onA), await a.address(onA), await a.address(onA)];
  const theirs = [await b.address(onB), await b.address(onB)];
  await a.ipam.idle();
  await b.ipam.idle();
  for (const { key } of await shared.list('')) await shared.transact([{ op: 'delete', key }]);
  const live = { '10.203.0.0/24': mine };
  const report = await a.reclaim(live);
  await a.ipam.idle();
  t.deepEqual([...report.adopted].sort(), [...mine].sort());
  const all = new Set([...mine, ...theirs]);
  await b.reclaim({ '10.203.0.0/24': theirs });
  for (let i = 0; i < 20; i += 1) {
    const address = i % 2 === 0 ? await a.address(onA) : await b.address(onB);
    t.false(all.has(address), address);
    all.add(address);
  }
  t.deepEqual(a.reports, []);
});

test('outage > a host that was taken for dead comes back with its containers', async (t) => {
  await using shared = EmbeddedStore.memory();
  const clock = new Clock();
  await using a = await IpamHost.open(shared, 'a', { now: clock.now });
  await using b = await IpamHost.open(shared, 'b', { now: clock.now });
  const onA = await a.network({ network: 'web', subnet: '10.203.0.0/24' });
  const onB = await b.network({ network: 'web' });
  const [kept, lost] = [await a.address(onA, '10.203.0.90'), await a.address(onA, '10.203.0.91')];
  await a.stop();
  await t.throwsAsync(b.address(onB, kept), { code: 'ADDRESS_TAKEN' });
  await b.ipam.forgetHost('a', { signal: AbortSignal.timeout(5000) });
  t.is(await b.address(onB, lost), lost, 'its addresses are free');
  await a.start();
  const report = await a.reclaim({ '10.203.0.0/24': [kept, lost] });
  t.deepEqual(report.adopted, [parseAddress(kept)]);
  t.deepEqual(report.conflicts, [parseAddress(lost)]);
  const got = [await a.address(onA), await b.address(onB), await a.address(onA)];
  t.is(new Set(got).size, 3);
});

test('outage > once the store is known to be away a call hardly waits, until it answered somebody', async (t) => {
  await using shared = EmbeddedStore.memory();
  await using host = await IpamHost.open(shared, 'a', { patienceMs: 1500 });
  const id = await host.network({ subnet: '10.192.0.0/28' });
  await host.ipam.idle();
  host.store.weather = 'down';
  const failsAfter = async (): Promise<number> => {
    const began = performance.now();
    await t.throwsAsync(host.address(id), { code: 'STORE_UNAVAILABLE' });
    return performance.now() - began;
  };
  for (const since of ['its first call', 'the start of a daemon']) {
    const first = await failsAfter();
    await failsAfter();
    const later = await failsAfter();
    t.true(later < first * 0.7, `${since}: ${Math.round(first)} ms, then ${Math.round(later)} ms`);
    await host.stop();
    await host.start();
  }
  host.store.weather = 'fine';
  await host.ipam.idle();
  await t.notThrowsAsync(host.address(id));
});

test('outage > each key that somebody deletes comes back with what it said, and no address is given twice', async (t) => {
  await using shared = EmbeddedStore.memory();
  await using a = await IpamHost.open(shared, 'a');
  await using b = await IpamHost.open(shared, 'b');
  const wish = { network: 'web', subnet: '10.203.0.0/24' };
  const onA = await a.network(wish);
  const onB = await b.network(wish);
  const given = new Set<string>();
  for (let i = 0; i < 5; i += 1) given.add(await a.address(onA)).add(await b.address(onB));
  given.add(await a.address(onA, '10.203.0.200'));
  const mine = [...a.ipam.ownKeys().keys()].filter((key) => !key.includes('/b'));
  t.true(['pools-guard', 'pools/', 'pool-hosts/', 'blocks/'].every((p) => mine.join().includes(p)));
  for (const key of mine) {
    await a.ipam.idle();
    const mend = a.ipam.ownKeys().get(key);
    if (!mend) continue; // given up by now, as a block without addresses is
    await shared.transact([{ op: 'delete', key }]);
    await mend();
    await a.ipam.idle();
    t.deepEqual(await shared.absent([key]), [], key);
    for (const [host, id] of [
      [a, onA],
      [b, onB],
    ] as const) {
      const address = await host.address(id);
      t.false(given.has(address), `${address}, after ${key}`);
      given.add(address);
    }
  }
  for (const address of given) {
    const name = { code: 'ADDRESS_TAKEN' };
    const [onOne, onOther] = await Promise.allSettled([
      a.address(onA, address),
      b.address(onB, address),
    ]);
    t.true(
      [onOne, onOther].some(({ status }) => status === 'rejected'),
      `${address} ${name.code}`,
    );
  }
  t.deepEqual([...a.reports, ...b.reports], []);
});

test('outage > a host that needs addresses waits until others have said again what the store has lost of theirs', async (t) => {
  await using shared = EmbeddedStore.memory();
  await using a = await IpamHost.open(shared, 'a');
  await using b = await IpamHost.open(shared, 'b');
  const wish = { network: 'web', subnet: '10.203.0.0/24' };
  const onA = await a.network(wish);
  const onB = await b.network(wish);
  const given: string[] = [];
  for (let i = 0; i < 3; i += 1) given.push(await a.address(onA), await b.address(onB));
  const owns = [];
  for (const host of [a, b]) {
    await host.ipam.idle();
    owns.push([...host.ipam.ownKeys().values()]);
  }
  for (const { key } of await shared.list('')) await shared.transact([{ op: 'delete', key }]);
  for (const mend of owns[0]!) await mend();
  const asked = (async () => {
    for (let i = 0; i < 40; i += 1) given.push(await a.address(onA));
  })();
  await delay(500);
  for (const mend of owns[1]!) await mend();
  await asked;
  for (const host of [a, b]) await host.ipam.idle();
  t.is(new Set(given).size, given.length, given.join(' '));
  t.deepEqual([...a.reports, ...b.reports], []);
});
