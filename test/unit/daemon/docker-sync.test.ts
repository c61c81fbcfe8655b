import test from 'ava';
import { DockerSync } from '../../../src/daemon/docker-sync.js';
import { createLog } from '../../../src/daemon/log.js';
import { DockerEngine, type DockerNetworkDetail } from '../../../src/docker/index.js';
import { Bindings } from '../../../src/driver/index.js';
import { parseAddress, parseMac, parsePrefix, parseVni } from '../../../src/net/index.js';
import { settings } from '../../helpers/docker-settings.js';
import { EmbeddedStore } from '../../../src/store/index.js';

/** An engine whose networks the test sets. */
class ScriptedEngine extends DockerEngine {
  details = new Map<string, DockerNetworkDetail>();
  away = false;

  constructor() {
    super({ socketPath: '/nonexistent', timeoutMs: 1 });
  }

  override async networks() {
    if (this.away) throw new Error('away');
    return [...this.details.values()].map(({ id, name }) => ({
      id,
      name,
      driver: 'weft',
      subnets: [],
      ipamOptions: {},
    }));
  }

  override async network(id: string) {
    return this.details.get(id);
  }
}

async function setUp() {
  const bindings = await Bindings.load(EmbeddedStore.memory(), () => undefined);
  const pools = [{ id: '10.1.0.0-24', prefix: parsePrefix('10.1.0.0/24') }];
  const network = {
    id: '0123456789ab',
    vni: parseVni(5),
    internal: false,
    pools,
    createdBy: 'h',
    createdAt: 't',
  };
  await bindings.addNetwork({ v: 1, dockerId: 'net1', network });
  const address = { address: parseAddress('10.1.0.5'), prefixLength: 24, poolId: '10.1.0.0-24' };
  const mac = parseMac('02:42:0a:01:00:05');
  await bindings.addEndpoint({
    v: 1,
    id: 'ep1',
    dockerId: 'net1',
    mac,
    addresses: [address],
    since: 0,
  });
  const engine = new ScriptedEngine();
  const heard: string[] = [];
  const time = { now: 0 };
  const fault = { name: false };
  const sync = new DockerSync({
    engine,
    bindings,
    onNetworkGone: async ({ dockerId }) => void heard.push(`network ${dockerId} gone`),
    onEndpointGone: async ({ id }) => void heard.push(`endpoint ${id} gone`),
    onNetworkMade: () => undefined,
    onEndpointNamed: async ({ id }, name) => void heard.push(`${id} is ${name}`),
    onNetworkSeen: async (_, { name }) => {
      if (fault.name) throw new Error('this name can not be one');
      heard.push(`named ${name}`);
    },
    onCompared: async () => void (fault.name && heard.push('compared')),
    onReachable: () => undefined,
    log: createLog({ level: 'error', format: 'json' }),
    clock: () => time.now,
  });
  return { engine, heard, time, sync, fault };
}

const withEndpoint = {
  id: 'net1',
  name: 'web',
  settings: settings('web'),
  endpoints: [{ endpointId: 'ep1', containerName: 'api' }],
};
const without = { ...withEndpoint, endpoints: [] };

test('docker sync > what Docker has stays, and gets its names', async (t) => {
  const { engine, heard, time, sync } = await setUp();
  engine.details.set('net1', withEndpoint);
  for (time.now = 0; time.now < 200_000; time.now += 10_000) await sync.compare();
  t.deepEqual([...new Set(heard)], ['named web', 'ep1 is api']);
  t.is(sync.containerName('ep1'), 'api');
});

test('docker sync > an endpoint is gone when it was missing at each look for the whole grace', async (t) => {
  const { engine, heard, time, sync } = await setUp();
  const look = async (now: number, detail: DockerNetworkDetail): Promise<void> => {
    time.now = now;
    engine.details.set('net1', detail);
    await sync.compare();
  };
  await look(0, without);
  await look(20_000, without);
  await look(25_000, withEndpoint);
  await look(40_000, without);
  t.false(heard.includes('endpoint ep1 gone'), 'it was there in between');
  await look(71_000, without);
  t.true(heard.includes('endpoint ep1 gone'));
});

test('docker sync > a network that Docker forgot is gone after the grace, and an engine that is away judges nothing', async (t) => {
  const { engine, heard, time, sync } = await setUp();
  await sync.compare();
  engine.away = true;
  time.now = 100_000;
  await t.throwsAsync(sync.compare());
  t.deepEqual(heard, []);
  engine.away = false;
  await sync.compare();
  t.deepEqual(heard, ['network net1 gone']);
});

test('docker sync > what goes wrong with one network neither stops the comparison nor counts as an engine that is away', async (t) => {
  const { engine, heard, time, sync, fault } = await setUp();
  fault.name = true;
  engine.details.set('net1', without);
  for (time.now = 0; time.now < 200_000; time.now += 10_000) await sync.compare();
  t.deepEqual([...new Set(heard)], ['compared']);
  fault.name = false;
  await sync.compare();
  await sync.compare();
  t.true(heard.includes('named web'));
});
