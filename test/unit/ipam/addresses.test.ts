import test from 'ava';
import type { IpamError } from '../../../src/ipam/index.js';
import { parseAddress } from '../../../src/net/index.js';
import { EmbeddedStore } from '../../../src/store/index.js';
import { until } from '../../helpers/consul.js';
import { Clock, IpamHost } from '../../helpers/ipam-host.js';

test('addresses > a full pool says how many are used, by whom, and what is held back', async (t) => {
  await using shared = EmbeddedStore.memory();
  const nameOf = (host: string): string => `machine ${host}`;
  await using a = await IpamHost.open(shared, 'a', { nameOf });
  await using b = await IpamHost.open(shared, 'b', { nameOf });
  const onA = await a.network({ network: 'web', subnet: '10.203.0.0/28' });
  const onB = await b.network({ network: 'web' });
  const got = new Set<string>();
  for (let i = 0; i < 9; i += 1) got.add(await a.address(onA));
  for (let i = 0; i < 4; i += 1) got.add(await b.address(onB));
  t.is(got.size, 13);
  for (const [host, id] of [
    [a, onA],
    [b, onB],
  ] as const) {
    const error = await t.throwsAsync<IpamError>(host.address(id), { code: 'POOL_FULL' });
    t.is(
      error.message,
      'pool 10.203.0.0/28 is full: 13 of 14 addresses are used (machine a 9, machine b 4), 1 set aside as gateway or aux address, ' +
        '0 resting, 0 held in reserve; remove containers, or create the network with a larger --subnet',
    );
  }
  await a.release(onA, '10.203.0.9');
  t.is(await b.address(onB), '10.203.0.9', 'rather than nothing, what rests');
});

test('addresses > every address of a pool can be had, on one host or on many', async (t) => {
  for (const count of [1, 3, 40]) {
    await using shared = EmbeddedStore.memory();
    const hosts = await Promise.all(
      Array.from({ length: count }, async (_, i) => IpamHost.open(shared, `h${i}`)),
    );
    const ids: string[] = [];
    for (const host of hosts) ids.push(await host.network({ network: 'w', subnet: '10.1.0.0/24' }));
    const asked = Array.from({ length: 253 }, async (_, i) =>
      hosts[i % count]!.address(ids[i % count]!),
    );
    t.is(new Set(await Promise.all(asked)).size, 253, `${count} hosts`);
    await t.throwsAsync(hosts[0]!.address(ids[0]!), { code: 'POOL_FULL' });
    for (const host of hosts) await host.stop();
  }
});

test('addresses > a freed one rests, unless it is asked for by name', async (t) => {
  await using shared = EmbeddedStore.memory();
  const clock = new Clock();
  await using host = await IpamHost.open(shared, 'a', { now: clock.now });
  const id = await host.network({ subnet: '10.203.0.0/28' });
  t.is(await host.address(id), '10.203.0.2');
  await host.release(id, '10.203.0.2');
  t.is(await host.address(id), '10.203.0.3');
  await host.release(id, '10.203.0.3');
  t.is(await host.address(id, '10.203.0.3'), '10.203.0.3');
  clock.ms += 61_000;
  t.is(await host.address(id), '10.203.0.2');
});

test('addresses > when all that is left rests, the longest rested comes first', async (t) => {
  await using shared = EmbeddedStore.memory();
  const clock = new Clock();
  await using host = await IpamHost.open(shared, 'a', { now: clock.now });
  const id = await host.network({ subnet: '10.203.0.0/28' });
  for (let i = 0; i < 13; i += 1) await host.address(id);
  for (const address of ['10.203.0.7', '10.203.0.14', '10.203.0.2']) {
    await host.release(id, address);
    clock.ms += 1000;
  }
  t.is(await host.address(id), '10.203.0.7');
  t.is(await host.address(id), '10.203.0.14');
  t.is(await host.address(id), '10.203.0.2');
});

test('addresses > one that a container here has is refused with its name, if Docker has told it', async (t) => {
  await using shared = EmbeddedStore.memory();
  const names = new Map([['endpoint1', 'web-1']]);
  await using host = await IpamHost.open(shared, 'a', {
    containerOf: (id) => names.get(id),
    nameOf: (id) => `host-${id}`,
  });
  const id = await host.network({ subnet: '10.203.0.0/24' });
  for (const [address, endpoint, message] of [
    ['10.203.0.5', 'endpoint1', /container "web-1" on this host \(host-a\) has it/],
    ['10.203.0.6', '0123456789abcdef', /endpoint 0123456789ab on this host \(host-a\) has it/],
  ] as const) {
    await host.address(id, address);
    await host.ipam.attach('10.203.0.0-24', parseAddress(address), endpoint);
    await t.throwsAsync(host.address(id, address), { code: 'ADDRESS_TAKEN', message });
  }
});

test('addresses > what is set aside can not be what the gateway or a container has', async (t) => {
  await using shared = EmbeddedStore.memory();
  await using a = await IpamHost.open(shared, 'a');
  await using b = await IpamHost.open(shared, 'b', { nameOf: (id) => `host-${id}` });
  const onA = await a.network({ network: 'web', subnet: '10.203.0.0/24' });
  await a.address(onA, '10.203.0.50');
  await a.ipam.idle();
  const { poolId } = await b.pool({ network: 'web' });
  await t.throwsAsync(b.address(poolId, '10.203.0.1'), {
    message: /10\.203\.0\.1 can't be set aside .*: it is the network's gateway; choose another/,
  });
  await t.throwsAsync(b.address(poolId, '10.203.0.50'), {
    message: /: a container on host-a has it; choose another/,
  });
});

test('addresses > those that nobody can have are refused by name', async (t) => {
  await using shared = EmbeddedStore.memory();
  await using host = await IpamHost.open(shared, 'a');
  const v4 = await host.network({ subnet: '10.203.0.0/24' });
  const v6 = await host.network({ subnet: 'fd00:1::/64' });
  for (const address of ['10.203.0.0', '10.203.0.255', '10.204.0.1', 'fd00:1::5']) {
    await t.throwsAsync(host.address(v4, address), { code: 'ADDRESS_OUT_OF_POOL' }, address);
  }
  await t.throwsAsync(host.address(v6, 'fd00:1::'), { code: 'ADDRESS_OUT_OF_POOL' });
  await t.throwsAsync(host.address(v4, '10.203.0.1'), {
    code: 'ADDRESS_TAKEN',
    message: /the network's gateway/,
  });
  t.is(await host.address(v6), 'fd00:1::2');
  t.is(await host.address(v6, 'fd00:1::ffff:0:1'), 'fd00:1::ffff:0:1', 'anywhere in the pool');
});

test('addresses > the smallest pools give all they have', async (t) => {
  await using shared = EmbeddedStore.memory();
  await using host = await IpamHost.open(shared, 'a');
  const sizes = [
    ['10.1.0.0/30', ['10.1.0.2']],
    ['fd00:2::4/126', ['fd00:2::6', 'fd00:2::7']],
  ] as const;
  for (const [subnet, expected] of sizes) {
    const id = await host.network({ subnet });
    const got = [];
    for (const _ of expected) got.push(await host.address(id));
    t.deepEqual(got, [...expected], subnet);
    await t.throwsAsync(host.address(id), { code: 'POOL_FULL' }, subnet);
  }
});

test('addresses > --ip-range is kept to, but by name all of the pool can be had', async (t) => {
  await using shared = EmbeddedStore.memory();
  await using host = await IpamHost.open(shared, 'a');
  const id = await host.network({ subnet: '10.203.0.0/24', range: '10.203.0.96/29' });
  const got = [];
  for (let i = 0; i < 8; i += 1) got.push(await host.address(id));
  t.true(
    got.every((address) => /^10\.203\.0\.(9[6-9]|10[0-3])$/.test(address)),
    got.join(' '),
  );
  await t.throwsAsync(host.address(id), {
    code: 'POOL_FULL',
    message: /the range 10\.203\.0\.96\/29 of pool/,
  });
  t.is(await host.address(id, '10.203.0.200'), '10.203.0.200');
});

test('addresses > the gateway is the same on every host, given or not, and outlives each', async (t) => {
  await using shared = EmbeddedStore.memory();
  await using a = await IpamHost.open(shared, 'a');
  await using b = await IpamHost.open(shared, 'b');
  const first = await a.network({ network: 'web', subnet: '10.203.0.0/24' }, '10.203.0.254');
  const joined = await b.pool({ network: 'web' });
  t.is(await b.gateway(joined.poolId), '10.203.0.254');
  t.is(await b.gateway(joined.poolId, '10.203.0.254'), '10.203.0.254');
  await t.throwsAsync(b.gateway(joined.poolId, '10.203.0.1'), {
    code: 'ADDRESS_TAKEN',
    message: /is 10\.203\.0\.254 on every host/,
  });
  await b.created(joined.prefix);
  await a.release(first, '10.203.0.254');
  await a.removeNetwork(first);
  await t.throwsAsync(b.address(joined.poolId, '10.203.0.254'), { code: 'ADDRESS_TAKEN' });
});

test('addresses > aux addresses are shared by the hosts while each creates the network, and nobody’s after', async (t) => {
  await using shared = EmbeddedStore.memory();
  await using a = await IpamHost.open(shared, 'a');
  await using b = await IpamHost.open(shared, 'b');
  for (const host of [a, b]) {
    const { poolId, prefix } = await host.pool({ network: 'web', subnet: '10.203.0.0/24' });
    await host.gateway(poolId);
    t.is(await host.address(poolId, '10.203.0.5'), '10.203.0.5', host.name);
    await host.created(prefix);
    await t.throwsAsync(host.address(poolId, '10.203.0.5'), {
      code: 'ADDRESS_TAKEN',
      message: /aux/,
    });
    t.not(await host.address(poolId), '10.203.0.5');
  }
});

test('addresses > an aux address that a container has elsewhere is refused', async (t) => {
  await using shared = EmbeddedStore.memory();
  await using a = await IpamHost.open(shared, 'a');
  await using b = await IpamHost.open(shared, 'b');
  const onA = await a.network({ network: 'web', subnet: '10.203.0.0/24' });
  await a.address(onA, '10.203.0.77');
  const { poolId } = await b.pool({ network: 'web' });
  await t.throwsAsync(b.address(poolId, '10.203.0.77'), {
    code: 'ADDRESS_TAKEN',
    message: /a has it/,
  });
});

test('addresses > C3: one whose release was lost can be asked for again by name, once no endpoint has it', async (t) => {
  await using shared = EmbeddedStore.memory();
  await using host = await IpamHost.open(shared, 'a');
  const id = await host.network({ subnet: '10.203.0.0/24' });
  const address = await host.address(id, '10.203.0.50');
  await host.ipam.attach('10.203.0.0-24', parseAddress(address), 'endpoint1');
  await t.throwsAsync(host.address(id, address), { code: 'ADDRESS_TAKEN', message: /endpoint1/ });
  await host.ipam.detach('10.203.0.0-24', parseAddress(address), 'endpoint1');
  t.is(await host.address(id, address), address);
  await host.stop();
  await host.start();
  t.is(await host.address(id, address), address);
});

test('addresses > a release that comes while an endpoint uses the address waits for the endpoint', async (t) => {
  await using shared = EmbeddedStore.memory();
  await using host = await IpamHost.open(shared, 'a');
  await using other = await IpamHost.open(shared, 'b');
  const id = await host.network({ network: 'web', subnet: '10.203.0.0/24' });
  const onB = await other.network({ network: 'web' });
  const address = parseAddress(await host.address(id, '10.203.0.50'));
  await host.ipam.attach('10.203.0.0-24', address, 'endpoint1');
  await host.release(id, address);
  await t.throwsAsync(other.address(onB, address), { code: 'ADDRESS_TAKEN' });
  await host.ipam.detach('10.203.0.0-24', address, 'endpoint1');
  t.is(await other.address(onB, address), address);
});

test('addresses > a release that may be for the container before waits until it is clear', async (t) => {
  await using shared = EmbeddedStore.memory();
  const clock = new Clock();
  await using a = await IpamHost.open(shared, 'a', { now: clock.now });
  await using b = await IpamHost.open(shared, 'b');
  const onA = await a.network({ network: 'web', subnet: '10.203.0.0/24' });
  const onB = await b.network({ network: 'web' });
  const address = parseAddress(await a.address(onA, '10.203.0.50'));
  await a.ipam.attach('10.203.0.0-24', address, 'endpoint1');
  await a.ipam.detach('10.203.0.0-24', address, 'endpoint1');
  // The next container asks for it before the release of the first one comes.
  await a.address(onA, address);
  await a.releaseOnly(onA, address);
  await a.ipam.attach('10.203.0.0-24', address, 'endpoint2');
  await t.throwsAsync(b.address(onB, address), { code: 'ADDRESS_TAKEN' });
  await a.ipam.detach('10.203.0.0-24', address, 'endpoint2');
  await a.releaseOnly(onA, address);
  t.is(await b.address(onB, address), address);
  // Nobody else can have had this one for long.
  await a.address(onA, '10.203.0.60');
  clock.ms += 11_000;
  await a.releaseOnly(onA, '10.203.0.60');
  t.is(await b.address(onB, '10.203.0.60'), '10.203.0.60');
});

test('addresses > a release that was put off comes at once when the endpoint did not come about', async (t) => {
  await using shared = EmbeddedStore.memory();
  await using a = await IpamHost.open(shared, 'a');
  await using b = await IpamHost.open(shared, 'b');
  const onA = await a.network({ network: 'web', subnet: '10.203.0.0/24' });
  const onB = await b.network({ network: 'web' });
  const address = parseAddress(await a.address(onA, '10.203.0.50'));
  // Docker's patience ended before ours did.
  await a.releaseOnly(onA, address);
  await a.ipam.detach('10.203.0.0-24', address, 'endpoint1');
  await a.ipam.idle();
  t.is(await b.address(onB, address), address);
});

test('addresses > a release that was put off comes when no endpoint did', async (t) => {
  await using shared = EmbeddedStore.memory();
  await using a = await IpamHost.open(shared, 'a', { settleMs: 4000 });
  await using b = await IpamHost.open(shared, 'b');
  const onA = await a.network({ network: 'web', subnet: '10.203.0.0/24' });
  const onB = await b.network({ network: 'web' });
  await a.address(onA, '10.203.0.50');
  await a.releaseOnly(onA, '10.203.0.50');
  await t.throwsAsync(b.address(onB, '10.203.0.50'), { code: 'ADDRESS_TAKEN' });
  const free = async (): Promise<boolean> =>
    b.address(onB, '10.203.0.50').then(
      () => true,
      () => false,
    );
  await until(free, 'free address', 20_000);
  t.pass();
});

test('addresses > releases of what nobody has, twice or of unknown pools succeed', async (t) => {
  await using shared = EmbeddedStore.memory();
  await using a = await IpamHost.open(shared, 'a');
  await using b = await IpamHost.open(shared, 'b');
  const onA = await a.network({ network: 'web', subnet: '10.203.0.0/24' });
  const onB = await b.network({ network: 'web' });
  const address = await a.address(onA);
  await a.release(onA, '10.203.0.200');
  await a.release(onA, '10.99.0.1');
  await a.release('10.99.0.0-24~1234', '10.99.0.1');
  await a.release('nonsense', '10.99.0.1');
  await a.ipam.releasePool('nonsense', { requestId: '', signal: new AbortController().signal });
  await b.release(onB, address);
  await t.throwsAsync(b.address(onB, address), { code: 'ADDRESS_TAKEN', message: /on a has it/ });
  await a.release(onA, address);
  await a.release(onA, address);
  t.is(await b.address(onB, address), address);
});

test('addresses > a late release of a grant that is over touches nothing', async (t) => {
  await using shared = EmbeddedStore.memory();
  await using host = await IpamHost.open(shared, 'a');
  const first = await host.network({ network: 'web', subnet: '10.203.0.0/24' });
  await host.removeNetwork(first);
  await host.ipam.idle();
  const second = await host.network({ network: 'web', subnet: '10.203.0.0/24' });
  await host.removeNetwork(first);
  t.is(await host.address(second), '10.203.0.2');
});

test('addresses > one asked for by name out of another host’s reserve is handed over', async (t) => {
  await using shared = EmbeddedStore.memory();
  await using a = await IpamHost.open(shared, 'a');
  await using b = await IpamHost.open(shared, 'b');
  const onA = await a.network({ network: 'web', subnet: '10.203.0.0/24' });
  const onB = await b.network({ network: 'web' });
  await a.ipam.idle();
  t.is(await b.address(onB, '10.203.0.3'), '10.203.0.3');
  t.is(await a.address(onA), '10.203.0.2');
  t.not(await a.address(onA), '10.203.0.3');
  await a.stop();
  const error = await t.throwsAsync<IpamError>(b.address(onB, '10.203.0.5'), {
    code: 'ADDRESS_TAKEN',
  });
  t.regex(error.message, /in the reserve of a, which does not answer.*--ip-range/);
  t.deepEqual(await shared.list('wanted/'), []);
});

test('addresses > the last ones of a full pool are handed over out of others’ reserves', async (t) => {
  await using shared = EmbeddedStore.memory();
  await using a = await IpamHost.open(shared, 'a');
  await using b = await IpamHost.open(shared, 'b');
  const onA = await a.network({ network: 'web', subnet: '10.203.0.0/26' });
  const onB = await b.network({ network: 'web' });
  await b.ipam.idle();
  const got = new Set<string>();
  for (let i = 0; i < 61; i += 1) got.add(await a.address(onA));
  t.is(got.size, 61);
  await t.throwsAsync(a.address(onA), { code: 'POOL_FULL' });
  await t.throwsAsync(b.address(onB), { code: 'POOL_FULL' });
});

test('addresses > an unknown pool says what to do', async (t) => {
  await using shared = EmbeddedStore.memory();
  await using host = await IpamHost.open(shared, 'a');
  await t.throwsAsync(host.address('10.9.0.0-24~12'), {
    code: 'UNKNOWN_POOL',
    message: /remove the network on this host and create it again/,
  });
});

test('addresses > block documents that are not ours are reported, and their addresses left alone', async (t) => {
  await using shared = EmbeddedStore.memory();
  await using host = await IpamHost.open(shared, 'a');
  const id = await host.network({ subnet: '10.203.0.0/28' });
  await shared.transact([
    { op: 'set', key: 'blocks/10.203.0.0-28/10.203.0.4', value: '{"v":1,"taken":[]}' },
    {
      op: 'set',
      key: 'blocks/10.203.0.0-28/10.203.0.8',
      value: '{"v":1,"reserve":[],"resting":{},"taken":{"10.9.9.9":{"host":"x","since":1}}}',
    },
  ]);
  const got = [];
  for (let i = 0; i < 5; i += 1) got.push(await host.address(id));
  t.deepEqual(got.sort(), [
    '10.203.0.12',
    '10.203.0.13',
    '10.203.0.14',
    '10.203.0.2',
    '10.203.0.3',
  ]);
  await t.throwsAsync(host.address(id), { code: 'POOL_FULL' });
  await t.throwsAsync(host.address(id, '10.203.0.5'), { code: 'BAD_DOCUMENT' });
  t.true(host.reports.length > 0);
});
