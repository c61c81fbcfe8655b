import { setTimeout as delay } from 'node:timers/promises';
import test from 'ava';
import { parsePrefix } from '../../../src/net/index.js';
import { ADDRESS_SPACE } from '../../../src/plugin-api/index.js';
import {
  BorrowedStore,
  EmbeddedStore,
  type Snapshot,
  type WatchOptions,
} from '../../../src/store/index.js';
import { until } from '../../helpers/cluster.js';
import { driverHost } from '../../helpers/driver-host.js';

const context = { requestId: '1', signal: new AbortController().signal };
const network = (networkId: string) => ({
  networkId,
  options: {},
  internal: false,
  ipv4: true,
  ipv6: false,
  pools: [{ addressSpace: ADDRESS_SPACE, prefix: parsePrefix('10.1.0.0/24'), auxAddresses: [] }],
});

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
  await first.driver.createNetwork(network('a'.repeat(64)), context);
  await second.driver.createNetwork(network('b'.repeat(64)), context);
  const [id] = [...second.datapath.networks.keys()];
  const key = `endpoints/${id}/h2`;
  await until(t, 'its part is known', () => second.view.own(id!) !== undefined);
  t.deepEqual(second.lost, []);
  await shared.transact([{ op: 'delete', key }]);
  await until(t, 'the loss is noticed', () => second.lost.length > 0);
  await until(t, 'it is written again', async () => (await shared.get(key)) !== undefined);
});
