import { setTimeout as delay } from 'node:timers/promises';
import test from 'ava';
import type { EndpointsDocument } from '../../../src/cluster/index.js';
import {
  BorrowedStore,
  EmbeddedStore,
  type Snapshot,
  type WatchOptions,
} from '../../../src/store/index.js';
import { until } from '../../helpers/cluster.js';
import { driverHost } from '../../helpers/driver-host.js';
import { DOCKER_A, DOCKER_B, context, endpoint, network } from '../../helpers/driver-requests.js';

/** Tells what others have on a network later than everything else. */
class SlowToFollow extends BorrowedStore {
  override async *watch(prefix: string, options: WatchOptions): AsyncIterable<Snapshot> {
    if (prefix.startsWith('endpoints/')) await delay(600);
    yield* this.inner.watch(prefix, options);
  }
}

test('membership > what is not known yet is not lost, and what is lost is written again', async (t) => {
  const shared = EmbeddedStore.memory();
  await using first = await driverHost(shared, 'h1');
  await using second = await driverHost(new SlowToFollow(shared), 'h2');
  await first.driver.createNetwork(network(DOCKER_A), context);
  await second.driver.createNetwork(network(DOCKER_B), context);
  const [id] = [...second.datapath.networks.keys()];
  const key = `endpoints/${id}/h2`;
  await until(t, 'its part is known', () => second.view.own(id!) !== undefined);
  t.deepEqual(second.lost, []);
  await shared.transact([{ op: 'delete', key }]);
  await until(t, 'the loss is noticed', () => second.lost.length > 0);
  await until(t, 'it is written again', async () => (await shared.get(key)) !== undefined);
});

test('membership > a host that has just started goes on telling what it told, until Docker has said what runs', async (t) => {
  const [shared, local] = [EmbeddedStore.memory(), EmbeddedStore.memory()];
  const names = new Map([
    [endpoint(DOCKER_A, 5).endpointId, { container: '123456789abc', names: ['db-1'] }],
  ]);
  const told = async (): Promise<readonly string[] | undefined> => {
    const [entry] = (await shared.list('endpoints/')).filter(({ key }) => key.endsWith('/h1'));
    const { endpoints } = JSON.parse(entry!.value) as EndpointsDocument;
    return endpoints[0]?.dns?.names;
  };
  {
    await using host = await driverHost(shared, 'h1', local, { names });
    await host.driver.createNetwork(network(DOCKER_A), context);
    await host.driver.createEndpoint(endpoint(DOCKER_A, 5), context);
    await until(t, 'its name is told', async () => (await told())?.[0] === 'db-1');
  }
  await using again = await driverHost(shared, 'h1', local, { areNamesKnown: false });
  await again.driver.restore();
  await until(t, 'all is published', () => again.pending().length === 0);
  t.deepEqual(await told(), ['db-1']);
  await using knowing = await driverHost(shared, 'h1', local);
  await knowing.driver.restore();
  await until(t, 'all is published', () => knowing.pending().length === 0);
  t.is(await told(), undefined, 'Docker has said that it has no name');
});
