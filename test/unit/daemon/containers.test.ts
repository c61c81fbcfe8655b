import test from 'ava';
import { Containers } from '../../../src/daemon/containers.js';
import { createLog } from '../../../src/daemon/log.js';
import {
  type DockerContainer,
  DockerEngine,
  type ListedContainer,
} from '../../../src/docker/index.js';
import { parseAddress } from '../../../src/net/index.js';
import { container, containerId } from './docker-container.js';

/** An engine whose containers the test sets. */
class ScriptedEngine extends DockerEngine {
  readonly all = new Map<string, DockerContainer>();
  asked = 0;
  refusals = 0;
  /** What happens while it makes its list. */
  meanwhile: () => Promise<void> = async () => undefined;

  constructor() {
    super({ socketPath: '/nonexistent', timeoutMs: 1 });
  }

  set(one: DockerContainer): void {
    this.all.set(one.id, one);
  }

  override async containers(): Promise<ListedContainer[]> {
    const running = [...this.all.values()].filter(({ isRunning }) => isRunning);
    await this.meanwhile();
    return running.map(({ id, name, health, attachments }) => ({
      id,
      networkIds: attachments.map(({ networkId }) => networkId),
      signature: JSON.stringify([name, health, attachments.map(({ endpointId }) => endpointId)]),
    }));
  }

  override async container(id: string): Promise<DockerContainer | undefined> {
    this.asked += 1;
    if (this.refusals > 0) {
      this.refusals -= 1;
      throw new Error('the engine is busy');
    }
    return this.all.get(id);
  }
}

function setUp() {
  const engine = new ScriptedEngine();
  const changes: string[] = [];
  const containers = new Containers({
    engine,
    isOurs: (id) => id.startsWith('net'),
    onChange: (ids) => changes.push([...ids].join(' ')),
    onCompared: () => undefined,
    log: createLog({ level: 'error', format: 'json' }),
  });
  /** As if the engine told it; resolves when what follows is done. */
  const event = async (action: string, id: string, at = 2000): Promise<void> => {
    containers.onEvent({ type: 'container', action, id, at });
    await containers.settled();
  };
  return { engine, changes, containers, event };
}

test('containers > one that starts is known by its names, and one that dies is not', async (t) => {
  const { engine, changes, containers, event } = setUp();
  engine.set(container(1));
  await event('start', containerId(1));
  t.deepEqual(containers.names('ep1')?.names, ['c1']);
  t.deepEqual(containers.placements(), [
    {
      sandboxKey: '/run/docker/netns/1',
      endpoints: [{ id: 'ep1', networkId: 'net1', names: containers.names('ep1')!, labels: {} }],
    },
  ]);
  await event('die', containerId(1));
  t.is(containers.names('ep1'), undefined);
  t.deepEqual(changes, ['net1', 'net1']);
});

test('containers > one that starts while the engine makes its list keeps its names', async (t) => {
  const { engine, containers, event } = setUp();
  engine.meanwhile = async () => {
    engine.set(container(1));
    await event('start', containerId(1));
  };
  await containers.compare();
  t.deepEqual(containers.names('ep1')?.names, ['c1']);
  engine.meanwhile = async () => undefined;
  engine.all.clear();
  await containers.compare();
  t.is(containers.names('ep1'), undefined, 'the next list has the last word');
});

test('containers > a renamed one loses its old name', async (t) => {
  const { engine, containers, event } = setUp();
  engine.set(container(1));
  await event('start', containerId(1));
  engine.set(container(1, { name: 'other' }));
  await event('rename', containerId(1));
  t.deepEqual(containers.names('ep1')?.names, ['other']);
});

test('containers > what no event told is found by comparison, and asked about once', async (t) => {
  const { engine, changes, containers } = setUp();
  engine.set(container(1));
  engine.set(container(2, { health: 'starting' }));
  engine.set(
    container(3, { attachments: [{ networkId: 'bridge', endpointId: 'e', aliases: [] }] }),
  );
  await containers.compare();
  await containers.compare();
  t.is(engine.asked, 2);
  t.is(containers.names('ep2')?.unhealthy, true);
  engine.set(container(2, { health: 'healthy' }));
  engine.all.delete(containerId(1));
  await containers.compare();
  t.is(containers.names('ep1'), undefined);
  t.is(containers.names('ep2')?.unhealthy, undefined);
  t.is(changes.length, 4);
});

test('containers > an engine that is busy is asked again', async (t) => {
  const { engine, containers, event } = setUp();
  engine.set(container(1));
  engine.refusals = 2;
  await event('start', containerId(1));
  t.deepEqual(containers.names('ep1')?.names, ['c1']);
});

test('containers > connecting a network is about the container, creating one about nobody', async (t) => {
  const { engine, containers } = setUp();
  engine.set(container(1));
  containers.onEvent({
    type: 'network',
    action: 'connect',
    id: 'net1',
    container: containerId(1),
    at: 0,
  });
  containers.onEvent({ type: 'network', action: 'create', id: 'net2', at: 0 });
  await containers.settled();
  t.is(engine.asked, 1);
  t.truthy(containers.names('ep1'));
});

test('containers > the health of those that are not ours is no news', async (t) => {
  const { engine, event } = setUp();
  await event('health_status: healthy', containerId(1));
  t.is(engine.asked, 0);
});

test('containers > whom one wants to have asked is told, and a label that says nothing sensible is as none', async (t) => {
  const { engine, containers, event } = setUp();
  const upstreams = () => containers.placements().map((placement) => placement.upstreams);
  engine.set(container(1, { labels: { 'weft.dns.upstream': '10.0.0.53:5353' } }));
  await event('start', containerId(1));
  t.deepEqual(upstreams(), [[{ address: parseAddress('10.0.0.53'), port: 5353 }]]);
  engine.set(container(1, { labels: { 'weft.dns.upstream': 'nonsense' } }));
  await event('rename', containerId(1));
  t.deepEqual(upstreams(), [undefined]);
});

test('containers > an end that is told after the next start is asked about, and takes no name', async (t) => {
  const { engine, changes, containers, event } = setUp();
  engine.set(container(1));
  await event('start', containerId(1));
  engine.set(container(1, { startedAt: 3000 }));
  await containers.compare();
  await event('die', containerId(1), 2999);
  t.truthy(containers.names('ep1'));
  t.is(changes.length, 1);
  await event('die', containerId(1), 3001);
  t.is(containers.names('ep1'), undefined);
});

test('containers > W5: of 200 that came and went while no event was told, those who run are known, and late events change nothing', async (t) => {
  const { engine, containers, event } = setUp();
  const all = Array.from({ length: 200 }, (_, i) => i);
  for (const i of all.slice(0, 100)) engine.set(container(i));
  await containers.compare();
  // The first fifty end, the next fifty are started anew elsewhere, and of the other hundred each second one has ended already.
  for (const i of all.slice(0, 50)) engine.all.delete(containerId(i));
  for (const i of all.slice(50, 100)) {
    const attachments = [{ networkId: 'net1', endpointId: `again${i}`, aliases: [] }];
    engine.set(container(i, { name: `again${i}`, attachments }));
  }
  for (const i of all.slice(100)) engine.set(container(i, { isRunning: i % 2 === 0 }));
  await containers.compare();

  const isRight = (): void => {
    const known = containers.placements().flatMap(({ endpoints }) => endpoints.map(({ id }) => id));
    const wanted = [
      ...all.slice(50, 100).map((i) => `again${i}`),
      ...all.slice(100).flatMap((i) => (i % 2 === 0 ? [`ep${i}`] : [])),
    ];
    t.deepEqual(known.toSorted(), wanted.toSorted());
    for (const i of all.slice(0, 100)) t.is(containers.names(`ep${i}`), undefined);
    for (const id of wanted) t.truthy(containers.names(id), id);
  };
  isRight();
  for (const i of all) await event('start', containerId(i));
  isRight();
});
