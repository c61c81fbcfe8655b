import test from 'ava';
import { type IpamError } from '../../../src/ipam/index.js';
import { EmbeddedStore } from '../../../src/store/index.js';
import { parseAddress, parsePrefix } from '../../../src/net/index.js';
import { Clock, IpamHost } from '../../helpers/ipam-host.js';

test('pools > two hosts share one pool under one network name, whether or not the second says the subnet', async (t) => {
  await using shared = EmbeddedStore.memory();
  await using a = await IpamHost.open(shared, 'host-a');
  await using b = await IpamHost.open(shared, 'host-b');
  await using c = await IpamHost.open(shared, 'host-c');
  const onA = await a.network({ network: 'web', subnet: '10.203.0.0/24' });
  const onB = await b.network({ network: 'web' });
  const onC = await c.network({ network: 'web', subnet: '10.203.0.0/24' });
  const addresses = [await a.address(onA), await b.address(onB), await c.address(onC)];
  t.is(new Set(addresses).size, 3);
  t.deepEqual(await b.ipam.describe([parsePrefix('10.203.0.0/24'), parsePrefix('10.9.0.0/24')]), [
    {
      id: '10.203.0.0-24',
      prefix: parsePrefix('10.203.0.0/24'),
      network: 'web',
      gateway: '10.203.0.1' as never,
    },
    undefined,
  ]);
});

test('pools > a pool lives until the last host has left it, and then leaves nothing behind', async (t) => {
  await using shared = EmbeddedStore.memory();
  await using a = await IpamHost.open(shared, 'host-a');
  await using b = await IpamHost.open(shared, 'host-b');
  const onA = await a.network({ network: 'web', subnet: '10.203.0.0/24' });
  const onB = await b.network({ network: 'web' });
  const held = await b.address(onB);
  await a.address(onA);
  await a.removeNetwork(onA);
  t.is((await shared.list('pools/')).length, 1);
  t.is(await b.address(onB, '10.203.0.2'), '10.203.0.2', 'what host-a had is free');
  await b.release(onB, held);
  await b.removeNetwork(onB);
  t.deepEqual(
    (await shared.list('')).map(({ key }) => key),
    ['pools-guard'],
  );
});

test('pools > the last two hosts leave at once', async (t) => {
  await using shared = EmbeddedStore.memory();
  const hosts = await Promise.all(
    ['a', 'b', 'c', 'd'].map(async (name) => IpamHost.open(shared, name)),
  );
  const ids: string[] = [];
  for (const host of hosts) ids.push(await host.network({ network: 'web' }));
  await Promise.all(hosts.map(async (host, i) => host.removeNetwork(ids[i]!)));
  for (const host of hosts) await host.ipam.idle();
  t.deepEqual(
    (await shared.list('')).map(({ key }) => key),
    ['pools-guard'],
  );
  for (const host of hosts) await host.stop();
});

test('pools > hosts that create at once never get overlapping pools', async (t) => {
  await using shared = EmbeddedStore.memory();
  const hosts = await Promise.all(
    Array.from({ length: 8 }, async (_, i) => IpamHost.open(shared, `h${i}`)),
  );
  const granted = await Promise.all(hosts.map(async (host) => (await host.pool()).prefix));
  t.is(new Set(granted).size, 8);
  const wishes = ['10.1.0.0/16', '10.1.2.0/24', '10.1.2.128/25', '10.0.0.0/8'];
  const outcomes = await Promise.allSettled(
    wishes.map(async (subnet, i) => hosts[i]!.pool({ subnet })),
  );
  t.true(outcomes.filter(({ status }) => status === 'fulfilled').length <= 1);
  for (const host of hosts) await host.stop();
});

test('pools > a plain second create of the same subnet is refused, and told how to share', async (t) => {
  await using shared = EmbeddedStore.memory();
  await using a = await IpamHost.open(shared, 'host-a');
  await using b = await IpamHost.open(shared, 'host-b');
  await a.network({ subnet: '10.203.0.0/24' });
  const other = await t.throwsAsync<IpamError>(b.pool({ subnet: '10.203.0.0/24' }), {
    code: 'POOL_OVERLAP',
  });
  t.regex(other.message, /host-a.*--ipam-opt weft\.network=NAME/);
  const same = await t.throwsAsync<IpamError>(a.pool({ subnet: '10.203.0.0/24' }), {
    code: 'POOL_OVERLAP',
  });
  t.regex(same.message, /Docker network test/);
  await a.network({ network: 'web', subnet: '10.204.0.0/24' });
  const named = await t.throwsAsync<IpamError>(b.pool({ subnet: '10.204.0.128/25' }), {
    code: 'POOL_OVERLAP',
  });
  t.regex(named.message, /weft network "web".*--ipam-opt weft\.network=web/);
});

test('pools > a pool whose grant Docker never heard of can be asked for again', async (t) => {
  await using shared = EmbeddedStore.memory();
  const clock = new Clock();
  await using host = await IpamHost.open(shared, 'host-a', { now: clock.now });
  await host.pool({ subnet: '10.203.0.0/24', range: '10.203.0.0/25' });
  await t.throwsAsync(host.pool({ subnet: '10.203.0.0/24' }), {
    code: 'POOL_OVERLAP',
    message: /right now.*5 seconds/,
  });
  clock.ms += 6000;
  const again = await host.pool({ subnet: '10.203.0.0/24' });
  await host.gateway(again.poolId);
  await host.created(again.prefix);
  t.is(await host.address(again.poolId, '10.203.0.200'), '10.203.0.200');
  await host.ipam.idle();
  t.deepEqual(host.reports, []);
});

test('pools > a network that was removed unheard can be created again with the same words', async (t) => {
  await using shared = EmbeddedStore.memory();
  const clock = new Clock();
  await using host = await IpamHost.open(shared, 'host-a', { now: clock.now });
  await using other = await IpamHost.open(shared, 'host-b');
  for (const wish of [{ subnet: '10.203.0.0/24' }, { subnet: '10.204.0.0/24', network: 'web' }]) {
    const id = await host.network(wish);
    await host.address(id);
    await host.ipam.networkNamed(['10.203.0.0-24'], 'named-by-docker');
    host.occupied.length = 0;
    clock.ms += 6000;
    t.truthy(await host.address(await host.network(wish)), wish.subnet);
    host.occupied.length = 0;
  }
  clock.ms += 6000;
  await other.network({ network: 'named-by-docker' });
  await t.throwsAsync(host.pool({ subnet: '10.203.0.0/24' }), { code: 'POOL_OVERLAP' });
  await host.ipam.idle();
  t.deepEqual(host.reports, []);
});

test('pools > one in which endpoints live is never taken for a left-over', async (t) => {
  await using shared = EmbeddedStore.memory();
  const clock = new Clock();
  await using host = await IpamHost.open(shared, 'host-a', { now: clock.now });
  const id = await host.network({ subnet: '10.203.0.0/24' });
  const address = parseAddress(await host.address(id));
  await host.ipam.attach('10.203.0.0-24', address, 'endpoint1');
  host.occupied.length = 0;
  clock.ms += 600_000;
  await t.throwsAsync(host.pool({ subnet: '10.203.0.0/24' }), { code: 'POOL_OVERLAP' });
  t.not(await host.address(id), address);
});

test('pools > other hosts join a network by the name that Docker gave it', async (t) => {
  await using shared = EmbeddedStore.memory();
  await using a = await IpamHost.open(shared, 'host-a');
  await using b = await IpamHost.open(shared, 'host-b');
  const onA = await a.network();
  const [pool] = await a.ipam.describe([parsePrefix('10.192.0.0/20')]);
  await a.ipam.networkNamed([pool!.id], 'shop');
  await a.ipam.networkNamed([pool!.id], 'another');
  const onB = await b.network({ network: 'shop' });
  t.not(await a.address(onA), await b.address(onB));
  await a.stop();
  await a.start();
  await a.ipam.idle();
  t.deepEqual(a.reports, []);
});

test('pools > Docker that asks again and again gets another pool each time, and in the end an error', async (t) => {
  await using shared = EmbeddedStore.memory();
  await using host = await IpamHost.open(shared, 'host-a');
  const grants: string[] = [];
  const seen = new Set<string>();
  for (let i = 0; i < 32; i += 1) {
    const { poolId, prefix } = await host.pool();
    grants.push(poolId);
    seen.add(prefix);
  }
  t.is(seen.size, 32);
  t.true(seen.has('10.192.0.0/20') && [...seen].some((prefix) => prefix.startsWith('10.254.')));
  const error = await t.throwsAsync<IpamError>(host.pool(), { code: 'NO_FREE_POOL' });
  t.regex(error.message, /--subnet/);
  for (const poolId of grants) await host.removeNetwork(poolId);
  await host.ipam.idle();
  t.deepEqual(
    (await shared.list('')).map(({ key }) => key),
    ['pools-guard'],
  );
  t.truthy(await host.pool());
});

test('pools > a named network that Docker refuses to take gets another pool, not the same for ever', async (t) => {
  await using shared = EmbeddedStore.memory();
  await using host = await IpamHost.open(shared, 'host-a');
  const first = await host.pool({ network: 'web' });
  const second = await host.pool({ network: 'web' });
  t.not(first.prefix, second.prefix);
  await host.removeNetwork(first.poolId);
  await host.gateway(second.poolId);
  await host.created(second.prefix);
  await using other = await IpamHost.open(shared, 'host-b');
  t.is((await other.pool({ network: 'web' })).prefix, second.prefix);
});

test('pools > joining a pool that overlaps something here says both, and never loops', async (t) => {
  await using shared = EmbeddedStore.memory();
  await using a = await IpamHost.open(shared, 'host-a');
  await using b = await IpamHost.open(shared, 'host-b');
  await a.network({ network: 'web', subnet: '10.203.0.0/24' });
  b.occupied.push({ prefix: parsePrefix('10.203.0.0/16'), what: 'the route on eth7' });
  const error = await t.throwsAsync<IpamError>(b.pool({ network: 'web' }), {
    code: 'POOL_OVERLAP',
  });
  t.regex(error.message, /10\.203\.0\.0\/24 of weft network "web".*the route on eth7/);
  b.occupied.length = 0;
  // Docker sees something that weft does not.
  const asked: Promise<unknown>[] = [];
  for (let i = 0; i < 40; i += 1) asked.push(b.pool({ network: 'web' }));
  const outcomes = await Promise.allSettled(asked);
  t.is(outcomes.filter(({ status }) => status === 'fulfilled').length, 32);
});

test('pools > chosen pools avoid what is there', async (t) => {
  await using shared = EmbeddedStore.memory();
  await using host = await IpamHost.open(shared, 'host-a');
  host.occupied.push(
    { prefix: parsePrefix('10.192.0.0/16'), what: 'route' },
    { prefix: parsePrefix('10.193.0.2/32'), what: 'nameserver' },
    { prefix: parsePrefix('0.0.0.0/1'), what: 'a VPN that takes everything' },
  );
  t.is((await host.pool()).prefix, parsePrefix('10.193.16.0/20'));
});

test('pools > IPv6 pools are cut from a range of the cluster’s own', async (t) => {
  await using shared = EmbeddedStore.memory();
  await using a = await IpamHost.open(shared, 'host-a');
  await using b = await IpamHost.open(shared, 'host-b');
  const one = (await a.pool({ ipv6: true })).prefix;
  const two = (await b.pool({ ipv6: true })).prefix;
  t.regex(one, /^fd[0-9a-f:]+\/64$/);
  t.not(one, two);
  t.is(one.split(':').slice(0, 3).join(':'), two.split(':').slice(0, 3).join(':'));
});

const refused: readonly {
  readonly title: string;
  readonly wish: Parameters<IpamHost['pool']>[0];
  readonly message: RegExp;
}[] = [
  {
    title: 'an unknown option',
    wish: { options: { 'weft.netwrok': 'web' } },
    message: /weft\.netwrok.*weft\.network=NAME/,
  },
  { title: 'a name that is none', wish: { network: 'a/b' }, message: /can't name a network/ },
  {
    title: 'a range outside',
    wish: { subnet: '10.1.0.0/24', range: '10.2.0.0/25' },
    message: /does not lie in/,
  },
  {
    title: 'a range without a container’s address',
    wish: { subnet: '10.1.0.0/24', range: '10.1.0.0/32' },
    message: /no address/,
  },
  { title: 'a range alone', wish: { range: '10.2.0.0/25' }, message: /needs a --subnet/ },
  { title: 'half of the internet', wish: { subnet: '0.0.0.0/1' }, message: /too large/ },
  { title: 'an IPv4 /31', wish: { subnet: '10.1.0.0/31' }, message: /from \/8 to \/30$/ },
  { title: 'an IPv4 /32', wish: { subnet: '10.1.0.9/32' }, message: /from \/8 to \/30$/ },
  { title: 'an IPv6 /127', wish: { subnet: 'fd00::/127' }, message: /from \/8 to \/126$/ },
  { title: 'an IPv6 /128', wish: { subnet: 'fd00::1/128' }, message: /from \/8 to \/126$/ },
];
for (const { title, wish, message } of refused) {
  test(`pools > refuses ${title}`, async (t) => {
    await using shared = EmbeddedStore.memory();
    await using host = await IpamHost.open(shared, 'host-a');
    await t.throwsAsync(host.pool(wish), { code: 'INVALID_OPTION', message });
    t.deepEqual(await shared.list('pools/'), []);
  });
}

test('pools > a network that exists takes no other prefixes, families or ranges', async (t) => {
  await using shared = EmbeddedStore.memory();
  await using a = await IpamHost.open(shared, 'host-a');
  await using b = await IpamHost.open(shared, 'host-b');
  await a.network({ network: 'web', subnet: '10.203.0.0/24', range: '10.203.0.128/25' });
  const joins = [
    [{ network: 'web', subnet: '10.204.0.0/24' }, /exists with --subnet 10\.203\.0\.0\/24/],
    [{ network: 'web', ipv6: true }, /has no IPv6 pool, .*leave --ipv6 out/],
    [{ network: 'web', subnet: '10.203.0.0/24', range: '10.203.0.0/25' }, /has the range/],
  ] as const;
  for (const [wish, message] of joins) {
    await t.throwsAsync(b.pool(wish), { code: 'INVALID_OPTION', message }, JSON.stringify(wish));
  }
  const { poolId } = await b.pool({ network: 'web', range: '10.203.0.128/25' });
  t.is(await b.gateway(poolId), '10.203.0.1');
  t.is(await b.address(poolId), '10.203.0.132', 'from a block of its own within the range');
});

test('pools > a network of IPv6 alone is joined with --ipv6, and says so', async (t) => {
  await using shared = EmbeddedStore.memory();
  await using a = await IpamHost.open(shared, 'host-a');
  await using b = await IpamHost.open(shared, 'host-b');
  await a.network({ network: 'web', subnet: 'fd00:1::/64' });
  await t.throwsAsync(b.pool({ network: 'web' }), {
    code: 'INVALID_OPTION',
    message: /has no IPv4 pool, but --subnet fd00:1::\/64; add --ipv4=false --ipv6/,
  });
});

test('pools > a network with several pools is joined by naming each', async (t) => {
  await using shared = EmbeddedStore.memory();
  await using a = await IpamHost.open(shared, 'host-a');
  await using b = await IpamHost.open(shared, 'host-b');
  const subnets = ['10.203.0.0/24', '10.204.0.0/24'];
  const prefixes = [];
  for (const subnet of subnets) prefixes.push((await a.pool({ network: 'web', subnet })).prefix);
  const descriptions = await a.ipam.describe(prefixes);
  await a.ipam.networkCreated(descriptions.map((d) => d!.id));
  await t.throwsAsync(b.pool({ network: 'web' }), {
    code: 'INVALID_OPTION',
    message: /several IPv4 pools.*--subnet 10\.203\.0\.0\/24 --subnet 10\.204\.0\.0\/24/,
  });
  for (const subnet of subnets)
    t.is((await b.pool({ network: 'web', subnet })).prefix, subnet as never);
});

test('pools > while the store is away, a create fails in time and says so; a remove is kept for later', async (t) => {
  await using shared = EmbeddedStore.memory();
  await using host = await IpamHost.open(shared, 'host-a', { patienceMs: 100 });
  const poolId = await host.network();
  host.store.weather = 'down';
  const start = performance.now();
  await t.throwsAsync(host.pool(), {
    code: 'STORE_UNAVAILABLE',
    message: /shared store is out of reach/,
  });
  t.true(performance.now() - start < 5000);
  await host.removeNetwork(poolId);
  await host.stop();
  await host.start();
  host.store.weather = 'fine';
  await host.ipam.idle();
  t.deepEqual(
    (await shared.list('')).map(({ key }) => key),
    ['pools-guard'],
  );
});

test('pools > a create whose write succeeded unheard is not made twice', async (t) => {
  await using shared = EmbeddedStore.memory();
  await using host = await IpamHost.open(shared, 'host-a');
  const { store } = host;
  const transact = store.transact.bind(store);
  let unheard = 0;
  store.transact = async (ops, options) => {
    if (unheard > 0 || !ops.some(({ key }) => key.startsWith('pools/')))
      return transact(ops, options);
    unheard += 1;
    store.weather = 'deaf';
    return transact(ops, options).finally(() => {
      store.weather = 'fine';
    });
  };
  const { poolId } = await host.pool({ subnet: '10.203.0.0/24' });
  t.is(unheard, 1);
  t.is((await shared.list('pools/')).length, 1);
  t.truthy(await host.gateway(poolId));
});

test('pools > one that was being deleted by a host that died is completed by the next who wants it', async (t) => {
  await using shared = EmbeddedStore.memory();
  await using a = await IpamHost.open(shared, 'host-a');
  await using b = await IpamHost.open(shared, 'host-b');
  await a.network({ subnet: '10.203.0.0/24' });
  const entry = await shared.get('pools/10.203.0.0-24');
  await a.stop();
  const closing = { ...JSON.parse(entry!.value), closing: { by: 'host-a', leaving: 'host-a' } };
  await shared.transact([{ op: 'set', key: entry!.key, value: JSON.stringify(closing) }]);
  const { poolId } = await b.pool({ subnet: '10.203.0.0/24' });
  t.is(await b.gateway(poolId), '10.203.0.1');
  t.deepEqual(
    (await shared.list('pool-hosts/')).map(({ key }) => key),
    ['pool-hosts/10.203.0.0-24/host-b'],
  );
});

test('pools > a document that is not ours is reported, and its prefix kept away from', async (t) => {
  await using shared = EmbeddedStore.memory();
  await using host = await IpamHost.open(shared, 'host-a');
  for (const value of ['nonsense', '{"v":2}', '{"v":1,"prefix":"10.0.0.0/8"}', '[]']) {
    await shared.transact([{ op: 'set', key: 'pools/10.192.0.0-20', value }]);
    t.is((await host.pool()).prefix.startsWith('10.192.0.'), false, value);
  }
  t.true(host.reports.length >= 4);
  t.true(host.reports.every(({ code }) => code === 'BAD_DOCUMENT'));
});
