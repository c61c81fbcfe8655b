import test from 'ava';
import { EmbeddedStore } from '../../../src/store/index.js';
import { IpamHost } from '../../helpers/ipam-host.js';

test('ipam > serves what Docker asks for, from create to remove', async (t) => {
  await using shared = EmbeddedStore.memory();
  await using host = await IpamHost.open(shared, 'host-a');
  const poolId = await host.network({ subnet: '10.203.0.0/24' });
  const first = await host.address(poolId);
  const second = await host.address(poolId);
  t.deepEqual([first, second], ['10.203.0.2', '10.203.0.3']);
  await host.release(poolId, first);
  await host.release(poolId, second);
  await host.removeNetwork(poolId);
  await host.ipam.idle();
  t.deepEqual(
    (await shared.list('')).map(({ key }) => key),
    ['pools-guard'],
  );
  t.deepEqual(await host.local.list(''), []);
  t.deepEqual(host.reports, []);
});
