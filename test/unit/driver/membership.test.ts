import { setTimeout as delay } from 'node:timers/promises';
import test from 'ava';
import {
  BorrowedStore,
  EmbeddedStore,
  type Snapshot,
  type WatchOptions,
} from '../../../src/store/index.js';
import { until } from '../../helpers/cluster.js';
import { driverHost } from '../../helpers/driver-host.js';
import { DOCKER_A, DOCKER_B, context, network } from '../../helpers/driver-requests.js';

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
