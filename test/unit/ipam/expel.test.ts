import test from 'ava';
import { EmbeddedStore } from '../../../src/store/index.js';
import { Clock, IpamHost } from '../../helpers/ipam-host.js';

const soon = (): AbortSignal => AbortSignal.timeout(20_000);

test('W2: hosts are destroyed and replaced in turn twenty times, and all addresses are free again', async (t) => {
  const store = EmbeddedStore.memory();
  const clock = new Clock();
  const open = async (name: string) =>
    IpamHost.open(store, name, { now: clock.now, restMs: 60_000 });
  const join = async (host: IpamHost) =>
    host.network({ network: 'web', subnet: '10.200.0.0/24' }, '10.200.0.1');
  const hosts: IpamHost[] = [];
  for (const name of ['a', 'b', 'c']) hosts.push(await open(name));
  for (const host of hosts) {
    const poolId = await join(host);
    for (let i = 0; i < 10; i += 1) await host.address(poolId);
  }
  let poolId = '';
  for (let round = 0; round < 20; round += 1) {
    const dead = hosts.shift()!;
    await dead.stop(); // its disk is gone with it
    // Two notice at once; the second finds little left to do.
    await Promise.all(hosts.map(async ({ ipam }) => ipam.expel(dead.name, store, soon())));
    clock.ms += 61_000;
    const next = await open(`host-${round}`);
    hosts.push(next);
    poolId = await join(next);
    for (let i = 0; i < 10; i += 1) await next.address(poolId);
  }
  const last = hosts.pop()!;
  for (const dead of hosts) {
    await dead.stop();
    await last.ipam.expel(dead.name, store, soon());
  }
  await last.reclaim({ '10.200.0.0/24': [] });
  clock.ms += 61_000;
  const marks = await store.list('pool-hosts/');
  t.is(marks.length, 1, 'only the last one has the pool');
  const all = new Set<string>();
  for (let i = 0; i < 253; i += 1) all.add(await last.address(poolId));
  t.is(all.size, 253, 'every address but network, broadcast and gateway');
  await last.stop();
});

test('ipam > the last host to have a pool takes it along when it is removed', async (t) => {
  const store = EmbeddedStore.memory();
  const gone = await IpamHost.open(store, 'gone');
  const poolId = await gone.network({ subnet: '10.200.0.0/24' });
  await gone.address(poolId);
  await gone.stop();
  const other = await IpamHost.open(store, 'other');
  await other.ipam.expel('gone', store, soon());
  await other.ipam.expel('gone', store, soon());
  const keys = (await store.list('')).map(({ key }) => key.split('/')[0]);
  t.deepEqual(keys, ['pools-guard']);
  await other.stop();
});

test('ipam > a host that may give nothing gives nothing, not even what it has in reserve', async (t) => {
  const why = { error: undefined as Error | undefined };
  const assertMayGive = async (): Promise<void> => {
    if (why.error) throw why.error;
  };
  const host = await IpamHost.open(EmbeddedStore.memory(), 'a', { assertMayGive });
  const poolId = await host.network({ subnet: '10.200.0.0/24' });
  const first = await host.address(poolId);
  why.error = new Error('removed');
  await t.throwsAsync(host.address(poolId), { message: 'removed' });
  await t.throwsAsync(host.pool({ subnet: '10.201.0.0/24' }), { message: 'removed' });
  await host.release(poolId, first);
  why.error = undefined;
  await host.ipam.startOver();
  t.is(typeof (await host.address(poolId)), 'string', 'it starts over with nothing in reserve');
  await host.stop();
});
