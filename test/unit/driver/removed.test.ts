import test from 'ava';
import { EmbeddedStore } from '../../../src/store/index.js';
import { until } from '../../helpers/cluster.js';
import { settings } from '../../helpers/docker-settings.js';
import { driverHost } from '../../helpers/driver-host.js';
import { DOCKER_A, DOCKER_B, context, endpoint, network } from '../../helpers/driver-requests.js';

test('driver > a network removed where others use it stays away from this host, over a restart, until it is made again', async (t) => {
  const shared = EmbeddedStore.memory();
  const local = EmbeddedStore.memory();
  await using a = await driverHost(shared, 'h1');
  const b = await driverHost(shared, 'h2', local);
  await a.driver.createNetwork(network(DOCKER_A), context);
  await a.driver.announceNetwork(DOCKER_A, settings('web'));
  await b.driver.createNetwork(network(DOCKER_B), context);
  const [id] = a.datapath.networks.keys();
  await a.driver.createEndpoint(endpoint(DOCKER_A, 5), context);
  await b.driver.deleteNetwork(DOCKER_B, context);
  await until(t, 'the removal', () => b.removed.length === 1);
  t.like(b.removed[0], { id, usedBy: [{ hostId: 'h1' }] });
  await b[Symbol.asyncDispose]();
  await using after = await driverHost(shared, 'h2', local);
  t.deepEqual([...after.bindings.shunned()], [[id, 'web']]);
  await after.driver.createNetwork(network(DOCKER_B), context);
  t.deepEqual([...after.bindings.shunned()], []);
});

test('driver > only the host on which somebody removed a network says so', async (t) => {
  const shared = EmbeddedStore.memory();
  await using a = await driverHost(shared, 'h1');
  await using b = await driverHost(shared, 'h2');
  await a.driver.createNetwork(network(DOCKER_A), context);
  await a.driver.announceNetwork(DOCKER_A, settings('web'));
  await b.driver.createNetwork(network(DOCKER_B), context);
  const [id] = a.datapath.networks.keys();
  await b.driver.deleteNetwork(DOCKER_B, context);
  await until(t, 'the removal', () => b.removed.length === 1);
  await a.driver.deleteNetwork(DOCKER_A, context);
  await until(t, 'the other has left', async () => (await shared.list('endpoints/')).length === 0);
  await until(t, 'nothing pending', () => a.bindings.leaving(id!) === undefined);
  t.deepEqual(a.removed, []);
  t.deepEqual(b.removed, [{ id, usedBy: [] }]);
});

test('driver > a network that was taken for one of the cluster gets no container under another name', async (t) => {
  const shared = EmbeddedStore.memory();
  await using a = await driverHost(shared, 'h1');
  await using b = await driverHost(shared, 'h2');
  await a.driver.createNetwork(network(DOCKER_A), context);
  await a.driver.announceNetwork(DOCKER_A, settings('web'));
  await b.driver.createNetwork(network(DOCKER_B), context);
  b.docker.set(DOCKER_B, settings('other'));
  await t.throwsAsync(b.driver.createEndpoint(endpoint(DOCKER_B, 5), context), {
    code: 'NETWORK_REPLACED',
    message: /network "other" is made anew.*try again/,
  });
  b.docker.set(DOCKER_B, { ...settings('other'), ipamOptions: { 'weft.network': 'web' } });
  await t.notThrowsAsync(
    b.driver.createEndpoint(endpoint(DOCKER_B, 5), context),
    'who named the network may call it otherwise here',
  );
});

test('driver > a network that may be another one gets no container while Docker does not say, over a restart too', async (t) => {
  const shared = EmbeddedStore.memory();
  const local = EmbeddedStore.memory();
  await using a = await driverHost(shared, 'h1');
  const b = await driverHost(shared, 'h2', local);
  await a.driver.createNetwork(network(DOCKER_A), context);
  await a.driver.announceNetwork(DOCKER_A, settings('web'));
  await a.driver.createEndpoint(endpoint(DOCKER_A, 5), context);
  await b.driver.createNetwork(network(DOCKER_B), context);
  await b.driver.deleteNetwork(DOCKER_B, context);
  await until(t, 'the removal', () => b.removed.length === 1);
  await b.driver.createNetwork(network(DOCKER_B), context);
  const refusal = { code: 'NETWORK_UNCONFIRMED', message: /"web" .*another one.*try again/ };
  await t.throwsAsync(b.driver.createEndpoint(endpoint(DOCKER_B, 6), context), refusal);
  await b[Symbol.asyncDispose]();

  await using after = await driverHost(shared, 'h2', local);
  await after.driver.restore();
  await t.throwsAsync(after.driver.createEndpoint(endpoint(DOCKER_B, 6), context), refusal);
  after.docker.set(DOCKER_B, settings('web'));
  await t.notThrowsAsync(after.driver.createEndpoint(endpoint(DOCKER_B, 6), context));
  after.docker.clear();
  await t.notThrowsAsync(after.driver.createEndpoint(endpoint(DOCKER_B, 7), context), 'asked once');
});

test('driver > where Docker never answers weft, a network that is joined again by name gets its containers', async (t) => {
  const shared = EmbeddedStore.memory();
  await using a = await driverHost(shared, 'h1');
  await using b = await driverHost(shared, 'h2', undefined, { isDockerThere: false });
  await a.driver.createNetwork(network(DOCKER_A), context);
  await a.driver.announceNetwork(DOCKER_A, settings('web'));
  await a.driver.createEndpoint(endpoint(DOCKER_A, 5), context);
  await b.driver.createNetwork(network(DOCKER_B), context);
  await b.driver.deleteNetwork(DOCKER_B, context);
  await until(t, 'the removal', () => b.removed.length === 1);
  await b.driver.createNetwork(network(DOCKER_B), context);
  await t.notThrowsAsync(b.driver.createEndpoint(endpoint(DOCKER_B, 6), context));
});
