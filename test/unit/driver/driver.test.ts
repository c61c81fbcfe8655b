import { isDeepStrictEqual } from 'node:util';
import test from 'ava';
import { parseAddressWithLength, parseMac, parsePrefix } from '../../../src/net/index.js';
import { type CreateNetworkRequest, ADDRESS_SPACE } from '../../../src/plugin-api/index.js';
import { EmbeddedStore } from '../../../src/store/index.js';
import { until } from '../../helpers/cluster.js';
import { settings } from '../../helpers/docker-settings.js';
import { driverHost } from '../../helpers/driver-host.js';
import { DOCKER_A, DOCKER_B, context, endpoint, network } from '../../helpers/driver-requests.js';

async function keysOf(store: EmbeddedStore): Promise<string[]> {
  const entries = await store.list('');
  const ofHosts = new Set(['hosts', 'vteps', 'members', 'layout']);
  return entries.map((e) => e.key.split('/')[0]!).filter((k) => !ofHosts.has(k));
}

test('driver > two hosts that create the same name share one network, and its last leaver removes it', async (t) => {
  const shared = EmbeddedStore.memory();
  await using a = await driverHost(shared, 'h1');
  await using b = await driverHost(shared, 'h2');
  await Promise.all([
    a.driver.createNetwork(network(DOCKER_A), context),
    b.driver.createNetwork(network(DOCKER_B), context),
  ]);
  t.deepEqual([...a.datapath.networks], [...b.datapath.networks]);
  t.is(a.datapath.networks.size, 1);
  t.is([...a.datapath.networks.values()][0]!.mtu, 1450);

  const { mac } = await a.driver.createEndpoint(endpoint(DOCKER_A, 5), context);
  t.is(mac as string, '02:42:0a:01:00:05');
  const [id] = a.datapath.networks.keys();
  await until(
    t,
    'the endpoint on the other host',
    () => b.remotes.get(id!)?.endpoints.length === 1,
  );
  t.like(b.remotes.get(id!)!.endpoints[0], { mac, vtep: '192.0.2.1', hostName: 'h1' });

  await a.driver.deleteEndpoint(DOCKER_A, endpoint(DOCKER_A, 5).endpointId, context);
  await until(t, 'its end on the other host', () => b.remotes.get(id!)?.endpoints.length === 0);
  await a.driver.deleteNetwork(DOCKER_A, context);
  t.deepEqual(await keysOf(shared), ['endpoints', 'heads', 'names', 'networks', 'vnis']);
  await b.driver.deleteNetwork(DOCKER_B, context);
  t.deepEqual(await keysOf(shared), []);
  t.is(a.datapath.networks.size + b.datapath.networks.size, 0);
});

test('driver > every call may come twice', async (t) => {
  await using host = await driverHost(EmbeddedStore.memory(), 'h1');
  const { driver, datapath } = host;
  const { endpointId } = endpoint(DOCKER_A, 5);
  await driver.createNetwork(network(DOCKER_A), context);
  await driver.createNetwork(network(DOCKER_A), context);
  t.is(datapath.networks.size, 1);
  const first = await driver.createEndpoint(endpoint(DOCKER_A, 5), context);
  t.deepEqual(await driver.createEndpoint(endpoint(DOCKER_A, 5), context), first);
  const join = { networkId: DOCKER_A, endpointId, sandboxKey: '' };
  t.deepEqual(await driver.join(join, context), { linkName: 'weft00000000000', linkPrefix: 'eth' });
  for (let i = 0; i < 2; i += 1) {
    await driver.leave(DOCKER_A, endpointId, context);
    await driver.deleteEndpoint(DOCKER_A, endpointId, context);
  }
  for (let i = 0; i < 2; i += 1) await driver.deleteNetwork(DOCKER_A, context);
  t.is(datapath.endpoints.size + datapath.networks.size, 0);
});

const refusals: readonly (readonly [string, Partial<CreateNetworkRequest>, RegExp])[] = [
  [
    'addresses from another IPAM driver',
    {
      pools: [
        { addressSpace: 'LocalDefault', prefix: parsePrefix('10.1.0.0/24'), auxAddresses: [] },
      ],
    },
    /docker network create -d weft --ipam-driver weft NAME/,
  ],
  [
    'one aux address twice',
    {
      pools: [
        {
          addressSpace: ADDRESS_SPACE,
          prefix: parsePrefix('10.1.0.0/24'),
          auxAddresses: ['10.1.0.9/24', '10.1.0.9/24'].map(parseAddressWithLength),
        },
      ],
    },
    /--aux-address 10\.1\.0\.9 is given twice/,
  ],
  ['no pool at all', { pools: [] }, /--ipam-driver weft/],
  ['an unknown option', { options: { mtuu: '1400' } }, /weft has no option "mtuu"/],
  [
    'an MTU that is no number',
    { options: { 'com.docker.network.driver.mtu': '1e3' } },
    /is not an MTU/,
  ],
  [
    'an MTU too small for IPv6',
    { ipv6: true, options: { 'com.docker.network.driver.mtu': '1000' } },
    /from 1280/,
  ],
  [
    'an MTU that the underlay has no room for',
    { options: { 'com.docker.network.driver.mtu': '1500' } },
    /leaves 1450 octets/,
  ],
];

for (const [what, rest, message] of refusals) {
  test(`driver > a network with ${what} is refused, and nothing is left of it`, async (t) => {
    const shared = EmbeddedStore.memory();
    await using host = await driverHost(shared, 'h1');
    await t.throwsAsync(
      host.driver.createNetwork(network(DOCKER_A, '10.1.0.0/24', rest), context),
      { message },
    );
    t.deepEqual(await keysOf(shared), []);
    t.deepEqual(host.datapath.log, []);
  });
}

test('driver > a network that exists elsewhere with other settings is refused with both', async (t) => {
  const shared = EmbeddedStore.memory();
  await using a = await driverHost(shared, 'h1');
  await using b = await driverHost(shared, 'h2');
  await a.driver.createNetwork(network(DOCKER_A), context);
  const other = network(DOCKER_B, '10.1.7.0/24', { internal: true });
  const error = await t.throwsAsync(b.driver.createNetwork(other, context), {
    code: 'NETWORK_MISMATCH',
  });
  t.regex(
    error.message,
    /pools there: 10\.1\.0\.0\/24, here: 10\.1\.7\.0\/24; internal there: false, here: true/,
  );
  t.is(b.datapath.networks.size, 0);
});

test('driver > a network with IPv6 that is joined without it says what to add', async (t) => {
  const shared = EmbeddedStore.memory();
  await using a = await driverHost(shared, 'h1');
  await using b = await driverHost(shared, 'h2');
  const both = network(DOCKER_A);
  const v6 = { ...both.pools[0]!, prefix: parsePrefix('fd00:1::/64') };
  await a.driver.createNetwork({ ...both, ipv6: true, pools: [...both.pools, v6] }, context);
  await t.throwsAsync(b.driver.createNetwork(network(DOCKER_B), context), {
    code: 'NETWORK_MISMATCH',
    message: /; add --ipv6, create it on this host/,
  });
});

test('driver > the same network twice on one host is refused, and the first one stays', async (t) => {
  await using host = await driverHost(EmbeddedStore.memory(), 'h1');
  await host.driver.createNetwork(network(DOCKER_A), context);
  await t.throwsAsync(host.driver.createNetwork(network(DOCKER_B), context), {
    code: 'NETWORK_MISMATCH',
  });
  t.is(host.datapath.networks.size, 1);
});

test('driver > a kernel that refuses leaves neither network nor endpoint behind', async (t) => {
  const shared = EmbeddedStore.memory();
  await using host = await driverHost(shared, 'h1');
  host.datapath.fail = 'ensureNetwork';
  await t.throwsAsync(host.driver.createNetwork(network(DOCKER_A), context), {
    message: 'ensureNetwork failed',
  });
  t.deepEqual(await keysOf(shared), []);
  host.datapath.fail = undefined;
  await host.driver.createNetwork(network(DOCKER_A), context);
  host.datapath.fail = 'ensureEndpoint';
  await t.throwsAsync(host.driver.createEndpoint(endpoint(DOCKER_A, 5), context));
  t.deepEqual(host.bindings.endpoints(DOCKER_A), []);
  t.deepEqual(host.detached, ['10.1.0.5']);
});

test('driver > other hosts hear of an endpoint while it is made, and no more of one that could not be', async (t) => {
  const shared = EmbeddedStore.memory();
  await using a = await driverHost(shared, 'h1');
  await using b = await driverHost(shared, 'h2');
  await a.driver.createNetwork(network(DOCKER_A), context);
  await b.driver.createNetwork(network(DOCKER_B), context);
  const [id] = a.datapath.networks.keys();
  const heard = async (count: number): Promise<void> =>
    until(t, `${count} endpoints`, () => b.remotes.get(id!)?.endpoints.length === count);
  let goOn = (): void => undefined;
  const makeOne = async (fail: string | undefined): Promise<unknown> => {
    a.datapath.endpointsWait = new Promise((resolve) => (goOn = resolve));
    a.datapath.fail = fail;
    const made = a.driver.createEndpoint(endpoint(DOCKER_A, 5), context).catch((e: unknown) => e);
    await heard(1);
    t.is(a.datapath.endpoints.size, 0);
    goOn();
    return made;
  };

  t.like(await makeOne('ensureEndpoint'), { message: 'ensureEndpoint failed' });
  await heard(0);
  t.like(await makeOne(undefined), { mac: '02:42:0a:01:00:05' });
  await until(t, 'all written', () => a.pending().length === 0);
  await heard(1);
  t.deepEqual(a.lost, []);
});

test('driver > a call that Docker gave up on leaves no endpoint', async (t) => {
  await using host = await driverHost(EmbeddedStore.memory(), 'h1');
  await host.driver.createNetwork(network(DOCKER_A), context);
  const late = { requestId: '2', signal: AbortSignal.abort(new Error('too late')) };
  await t.throwsAsync(host.driver.createEndpoint(endpoint(DOCKER_A, 5), late), {
    message: 'too late',
  });
  t.is(host.datapath.endpoints.size, 0);
  t.deepEqual(host.bindings.endpoints(DOCKER_A), []);
  t.deepEqual(host.detached, ['10.1.0.5']);
});

test('driver > one MAC is given once on a network, here and elsewhere', async (t) => {
  const shared = EmbeddedStore.memory();
  await using a = await driverHost(shared, 'h1');
  await using b = await driverHost(shared, 'h2');
  await a.driver.createNetwork(network(DOCKER_A), context);
  await b.driver.createNetwork(network(DOCKER_B), context);
  const mac = parseMac('02:00:00:00:00:01');
  t.deepEqual(await a.driver.createEndpoint({ ...endpoint(DOCKER_A, 5), mac }, context), {});
  const [id] = a.datapath.networks.keys();
  await until(
    t,
    'the endpoint on the other host',
    () => b.remotes.get(id!)?.endpoints.length === 1,
  );
  await t.throwsAsync(a.driver.createEndpoint({ ...endpoint(DOCKER_A, 6), mac }, context), {
    message: /on this host/,
  });
  await t.throwsAsync(b.driver.createEndpoint({ ...endpoint(DOCKER_B, 7), mac }, context), {
    message: /on h1/,
  });
  const group = parseMac('01:00:5e:00:00:01');
  await t.throwsAsync(a.driver.createEndpoint({ ...endpoint(DOCKER_A, 8), mac: group }, context), {
    code: 'INVALID_MAC',
  });
  t.deepEqual([...a.detached, ...b.detached], ['10.1.0.6', '10.1.0.8', '10.1.0.7']);
});

test('driver > endpoints of the unknown are refused with the way out, deletes of it succeed', async (t) => {
  await using host = await driverHost(EmbeddedStore.memory(), 'h1');
  const { driver } = host;
  await t.throwsAsync(driver.createEndpoint(endpoint(DOCKER_A, 5), context), {
    message: /remove it and create it again/,
  });
  await driver.createNetwork(network(DOCKER_A), context);
  const join = { networkId: DOCKER_A, endpointId: 'c'.repeat(64), sandboxKey: '' };
  await t.throwsAsync(driver.join(join, context), { code: 'UNKNOWN_ENDPOINT' });
  await t.throwsAsync(
    driver.createEndpoint(
      { ...endpoint(DOCKER_A, 5), address: parseAddressWithLength('10.9.0.1/24') },
      context,
    ),
    { message: /in no pool/ },
  );
  await t.notThrowsAsync(driver.deleteNetwork(DOCKER_B, context));
  await t.notThrowsAsync(driver.deleteEndpoint(DOCKER_A, 'd'.repeat(64), context));
});

test('driver > a restart restores networks and endpoints, and puts back what the store has lost', async (t) => {
  const local = EmbeddedStore.memory();
  const before = await driverHost(EmbeddedStore.memory(), 'h1', local);
  await before.driver.createNetwork(network(DOCKER_A), context);
  await before.driver.createEndpoint(endpoint(DOCKER_A, 5), context);
  await before[Symbol.asyncDispose]();

  const emptied = EmbeddedStore.memory();
  await using after = await driverHost(emptied, 'h1', local);
  await after.driver.restore();
  t.deepEqual([...after.datapath.networks], [...before.datapath.networks]);
  t.deepEqual([...after.datapath.endpoints], [...before.datapath.endpoints]);
  const [id] = after.datapath.networks.keys();
  await until(t, 'the network in the store', () => after.view.endpoints(id!)?.length === 1);
  t.is((await after.networks.findByName('web'))?.id, id);
});

for (const { what, keys } of [
  { what: "this host's endpoints", keys: /^endpoints\// },
  { what: 'a network', keys: /^networks\// },
  { what: 'all of a network', keys: /^(endpoints|networks|names|vnis)\// },
]) {
  test(`driver > puts back the keys of ${what} when somebody deletes them`, async (t) => {
    const shared = EmbeddedStore.memory();
    await using host = await driverHost(shared, 'h1');
    await host.driver.createNetwork(network(DOCKER_A), context);
    await host.driver.createEndpoint(endpoint(DOCKER_A, 5), context);
    const before = await shared.list('');
    const doomed = before.filter(({ key }) => keys.test(key));
    t.true(doomed.length > 0);
    await shared.transact(doomed.map(({ key }) => ({ op: 'delete', key })));
    const documents = async () =>
      new Map((await shared.list('')).map(({ key, value }) => [key, JSON.parse(value) as unknown]));
    const right = new Map(before.map(({ key, value }) => [key, JSON.parse(value) as unknown]));
    await until(t, 'all keys', async () => isDeepStrictEqual(await documents(), right));
  });
}

test('driver > puts back its endpoints when somebody writes others in their place', async (t) => {
  const shared = EmbeddedStore.memory();
  await using host = await driverHost(shared, 'h1');
  await host.driver.createNetwork(network(DOCKER_A), context);
  const [empty] = await shared.list('endpoints/');
  await host.driver.createEndpoint(endpoint(DOCKER_A, 5), context);
  const [right] = await shared.list('endpoints/');
  await shared.transact([{ op: 'set', key: empty!.key, value: empty!.value }]);
  await until(t, 'them', async () => (await shared.list('endpoints/'))[0]?.value === right!.value);
});

test('driver > a restart leaves a network that a crash in the middle of its creation left behind', async (t) => {
  const shared = EmbeddedStore.memory();
  await using before = await driverHost(shared, 'h1');
  await before.networks.create({ name: 'web', internal: false, pools: [] });
  await using after = await driverHost(shared, 'h1');
  await after.driver.restore();
  await until(t, 'nothing in the store', async () => (await shared.list('networks/')).length === 0);
  t.deepEqual(after.bindings.left(), []);
});

test('driver > the name of a container reaches the other hosts', async (t) => {
  const shared = EmbeddedStore.memory();
  await using a = await driverHost(shared, 'h1');
  await using b = await driverHost(shared, 'h2');
  await a.driver.createNetwork(network(DOCKER_A), context);
  await b.driver.createNetwork(network(DOCKER_B), context);
  await a.driver.createEndpoint(endpoint(DOCKER_A, 5), context);
  const [made] = a.bindings.endpoints(DOCKER_A);
  await a.driver.nameEndpoint(made!, 'api');
  const [id] = a.datapath.networks.keys();
  const named = () => b.view.endpoints(id!)?.flatMap((host) => host.endpoints) ?? [];
  await until(t, 'the name', () => named().some(({ name }) => name === 'api'));
});

test('driver > a network takes Docker’s name and settings to the cluster, and its containers’ names too', async (t) => {
  const shared = EmbeddedStore.memory();
  await using a = await driverHost(shared, 'h1');
  const own = network(DOCKER_A, '10.2.0.0/24');
  await a.driver.createNetwork(own, context);
  t.is(await a.driver.announceNetwork(DOCKER_A, settings('db')), 'announced');
  const found = await a.networks.findByName('db');
  t.deepEqual(found?.docker, settings('db'));
  t.deepEqual(a.bindings.network(DOCKER_A)?.network, found);
  const address = parseAddressWithLength('10.2.0.5/24');
  await a.driver.createEndpoint({ ...endpoint(DOCKER_A, 5), address }, context);
  const [made] = a.bindings.endpoints(DOCKER_A);
  await a.driver.nameEndpoint(made!, 'api');
  await until(t, 'the name in the store', async () => {
    const [user] = await a.networks.users(found!.id);
    return user?.containers[0] === 'api';
  });
});

test('driver > a network whose name is another’s gets no container, and says what to do', async (t) => {
  const shared = EmbeddedStore.memory();
  await using a = await driverHost(shared, 'h1');
  await using b = await driverHost(shared, 'h2');
  await a.driver.createNetwork(network(DOCKER_A, '10.2.0.0/24'), context);
  await a.driver.announceNetwork(DOCKER_A, settings('db'));
  await b.driver.createNetwork(network(DOCKER_B, '10.3.0.0/24'), context);
  b.docker.set(DOCKER_B, settings('db'));
  const address = parseAddressWithLength('10.3.0.5/24');
  await t.throwsAsync(b.driver.createEndpoint({ ...endpoint(DOCKER_B, 5), address }, context), {
    code: 'NETWORK_REPLACED',
    message: /the cluster has another network "db".*try again/,
  });
  b.docker.set(DOCKER_B, settings('a name with spaces'));
  await t.notThrowsAsync(
    b.driver.createEndpoint({ ...endpoint(DOCKER_B, 5), address }, context),
    'what can have no name in the cluster stays here',
  );
});
