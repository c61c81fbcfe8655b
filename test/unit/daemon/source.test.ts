import test, { type ExecutionContext } from 'ava';
import { ClusterView, Networks, type Members } from '../../../src/cluster/index.js';
import { defaultConfig } from '../../../src/daemon/config.js';
import type { PolicySource } from '../../../src/control-api/index.js';
import type { OperatorNetworks } from '../../../src/daemon/operator-networks.js';
import type { DockerSync } from '../../../src/daemon/docker-sync.js';
import { EventLog } from '../../../src/daemon/event-log.js';
import { EventLoopWatch } from '../../../src/daemon/event-loop.js';
import { Health } from '../../../src/daemon/health.js';
import { createLog } from '../../../src/daemon/log.js';
import { DaemonSource } from '../../../src/daemon/source.js';
import { Bindings } from '../../../src/driver/index.js';
import { parseAddressWithLength, parseMac, parsePrefix } from '../../../src/net/index.js';
import { EmbeddedStore } from '../../../src/store/index.js';
import { hostDocument } from '../../helpers/cluster.js';
import { FlakyStore } from '../../helpers/flaky-store.js';

const ME = hostDocument('me', '192.0.2.1');
const patient = { signal: new AbortController().signal };
const record = (n: number) => ({
  id: `e${n}`,
  mac: parseMac(`02:42:0a:01:00:0${n}`),
  addresses: [parseAddressWithLength(`10.1.0.${n}/16`)],
});

/** This host has network "here", as b has; b and c have "there"; b has one endpoint on each, c another on "there". */
async function cluster(t: ExecutionContext, { address = '' } = {}) {
  const config = defaultConfig(ME.name);
  const shared = new FlakyStore(EmbeddedStore.memory());
  const [me, b, c] = [ME.id, 'host-b', 'host-c'].map((id) => new Networks(shared, id));
  const make = async (networks: Networks, name: string) =>
    networks.create({
      name,
      internal: false,
      pools: [{ id: 'p', prefix: parsePrefix('10.1.0.0/16') }],
    });
  const here = await make(me!, 'here');
  const there = await make(b!, 'there');
  await b!.publish(here, [record(1)], patient);
  await b!.publish(there, [record(2)], patient);
  await c!.publish(there, [record(3)], patient);

  const bindings = await Bindings.load(EmbeddedStore.memory(), () => t.fail());
  await bindings.addNetwork({
    v: 1,
    dockerId: 'docker-here',
    network: { ...here, pools: [...here.pools] },
  });
  const health = new Health();
  const damaged: string[] = [];
  const view = new ClusterView(shared, ME.id, {
    onHosts: () => undefined,
    onRemote: () => undefined,
    onReachable: (reachable) => void health.setStore(reachable),
    onDamage: (key) => void damaged.push(key),
  });
  t.teardown(async () => view[Symbol.asyncDispose]());
  const log = createLog({ level: 'error', format: 'text' });
  const eventLoop = new EventLoopWatch();
  t.teardown(async () => eventLoop[Symbol.asyncDispose]());
  const source = new DaemonSource({
    config: address ? { ...config, store: { ...config.store, kind: 'consul', address } } : config,
    document: ME,
    underlay: { linkName: 'eth0', linkIndex: 2, vtep: ME.vtep, mtu: 1500, reason: 'told so' },
    bindings,
    view,
    members: { all: () => [], missedMs: () => undefined } as unknown as Members,
    operatorNetworks: {} as OperatorNetworks,
    policies: {} as PolicySource,
    sync: { isReachable: true, containerName: () => undefined } as unknown as DockerSync,
    health,
    events: new EventLog(log),
    log,
    eventLoop,
  });
  const counts = async () =>
    Object.fromEntries(
      (await source.networks()).map(({ name, hosts, endpoints }) => [
        name,
        [hosts, endpoints.total],
      ]),
    );
  const endpoints = async () => (await source.endpoints()).map(({ id }) => id).toSorted();
  return { shared, view, here, there, health, damaged, source, counts, endpoints };
}

test('source > counts hosts and endpoints of networks that this host has not, and lists them', async (t) => {
  const { view, here, counts, endpoints } = await cluster(t);
  await view.start();
  await view.follow(here.id);
  t.deepEqual(await counts(), { here: [2, 1], there: [2, 2] });
  t.deepEqual(await endpoints(), ['e1', 'e2', 'e3']);
});

test('source > asks the store only for what it does not watch, and watches no more for it', async (t) => {
  const { shared, view, here, there, counts } = await cluster(t);
  await view.start();
  await view.follow(here.id);
  const before = shared.calls.list;
  await counts();
  t.is(shared.calls.list, before + 1);
  await view.follow(there.id);
  await counts();
  t.is(shared.calls.list, before + 1);
});

for (const weather of ['down', 'deaf'] as const) {
  test(`source > a store that is ${weather} makes unknown what only the store knows, and nothing else`, async (t) => {
    const { shared, view, here, counts, endpoints } = await cluster(t);
    await view.start();
    await view.follow(here.id);
    shared.weather = weather;
    t.deepEqual(await counts(), { here: [2, 1], there: [null, null] });
    t.deepEqual(await endpoints(), ['e1']);
  });
}

test('source > a store known to be away is not asked', async (t) => {
  const { shared, view, health, counts } = await cluster(t);
  await view.start();
  health.setStore(false);
  const before = shared.total;
  t.deepEqual(await counts(), { here: [null, null], there: [null, null] });
  t.is(shared.total, before);
});

test('source > a network of this host whose members are not loaded yet is read, or unknown', async (t) => {
  const { health, counts } = await cluster(t);
  t.deepEqual(await counts(), { here: [null, null] });
  health.setStore(true);
  t.deepEqual(await counts(), { here: [2, 1] });
});

test('source > a damaged document counts as absent, and is told', async (t) => {
  const { shared, view, there, damaged, counts } = await cluster(t);
  await view.start();
  const key = `endpoints/${there.id}/host-c`;
  await shared.transact([{ op: 'set', key, value: '{}' }]);
  t.deepEqual((await counts())['there'], [1, 1]);
  t.true(damaged.includes(key));
});

test('source > the status shows the address of Consul without its password', async (t) => {
  const { source } = await cluster(t, { address: 'http://me:hunter2@127.0.0.1:8500' });
  t.is(source.status().store.address, 'http://me:***@127.0.0.1:8500/');
});
