import test from 'ava';
import { type AnnounceState, HostAnnouncer, Networks } from '../../../src/cluster/index.js';
import type { Store } from '../../../src/store/index.js';
import { hasCode } from '../../../src/util/index.js';
import { hostDocument } from '../../helpers/cluster.js';
import { World } from '../../helpers/consul-world.js';
import { type ConsulServer, startConsul, until } from '../../helpers/consul.js';

let consul: ConsulServer;

test.before(async () => {
  consul = await startConsul();
});
test.after.always(async () => consul?.[Symbol.asyncDispose]());

async function keysOf(store: Store): Promise<string[]> {
  return (await store.list('')).map(({ key }) => key);
}

test('F6 > hosts on a real Consul announce one underlay address once, move without a gap, and come back', async (t) => {
  await using world = await World.open(consul);
  const states = { a: [] as AnnounceState[], b: [] as AnnounceState[] };
  const [a, b] = [hostDocument('a', '192.0.2.1'), hostDocument('b', '192.0.2.1')];
  await using first = new HostAnnouncer(world.direct, a, {
    onState: (state) => void states.a.push(state),
  });
  first.start();
  await until(() => states.a.at(-1)?.kind === 'announced', 'a announced');
  await using second = new HostAnnouncer(world.store, b, {
    onState: (state) => void states.b.push(state),
  });
  second.start();
  await until(() => states.b.at(-1)?.kind === 'failed', 'b refused');
  const refused = states.b.at(-1);
  t.true(refused?.kind === 'failed' && hasCode(refused.error, 'VTEP_TAKEN'));

  const gaps: string[] = [];
  const watching = new AbortController();
  const watch = (async () => {
    for await (const { entries } of world.direct.watch('hosts/', watching)) {
      gaps.push(entries.has('hosts/host-a') ? 'there' : 'gone');
    }
  })();
  await until(() => gaps.length > 0, 'the watch');
  first.update(hostDocument('a', '192.0.2.9'));
  await until(() => states.b.at(-1)?.kind === 'announced', 'b takes what a gave up', 20_000);
  t.deepEqual(await keysOf(world.direct), [
    'hosts/host-a',
    'hosts/host-b',
    'layout',
    'members/host-a',
    'members/host-b',
    'vteps/192.0.2.1',
    'vteps/192.0.2.9',
  ]);
  t.false(gaps.includes('gone'), gaps.join(' '));
  watching.abort();
  await watch;

  await world.direct.transact([{ op: 'delete', key: 'hosts/host-a' }]);
  await until(async () => (await keysOf(world.direct)).includes('hosts/host-a'), 'a is back');
});

test('networks > hosts on a real Consul that create, join and leave at once agree, and leave nothing', async (t) => {
  await using world = await World.open(consul);
  const patient = { signal: AbortSignal.timeout(60_000) };
  const wanted = { name: 'web', internal: false, pools: [] };
  const live = async (networks: Networks): Promise<string[]> => {
    const ids: string[] = [];
    while (ids.length < 5) {
      try {
        const found = await networks.findByName('web');
        const { id } = found
          ? await networks.join(found.id, patient)
          : await networks.create(wanted);
        t.truthy(await networks.get(id), 'a member has its network');
        ids.push(id);
        await networks.leave(id, patient);
      } catch (error) {
        if (!hasCode(error, 'NAME_TAKEN') && !hasCode(error, 'NETWORK_GONE')) throw error;
      }
    }
    return ids;
  };
  const hosts = ['host-a', 'host-b', 'host-c'].map((id) => new Networks(world.direct, id));
  await Promise.all(hosts.map(live));
  t.deepEqual(await keysOf(world.direct), []);
});
