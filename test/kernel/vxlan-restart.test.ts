import { readdirSync } from 'node:fs';
import test from 'ava';
import { parseVni } from '../../src/net/index.js';
import type { KernelDatapath } from '../../src/vxlan/index.js';
import { FaultyKernel } from '../helpers/faulty-kernel.js';
import {
  type LabHost,
  NETWORK,
  VxlanLab,
  endpoint,
  fdbOf,
  neighborsOf,
  peer,
  run,
  spec,
} from '../helpers/vxlan-lab.js';

const OTHER = '00000000bbbb';
const VTEP = '192.168.0.2' as never;
const remote = { vteps: [VTEP], peers: [peer(endpoint(2), VTEP)] };

async function create(datapath: KernelDatapath): Promise<void> {
  await datapath.setKnownVteps([VTEP]);
  await datapath.ensureNetwork(spec());
  await datapath.setRemote(NETWORK, remote);
  await datapath.ensureEndpoint(NETWORK, endpoint(1));
}

async function remove(datapath: KernelDatapath): Promise<void> {
  await datapath.deleteEndpoint(NETWORK, endpoint(1).id);
  await datapath.deleteNetwork(NETWORK);
}

/** Everything of ours that a tool shows, but ifindexes. */
function stateOf(host: LabHost): string[] {
  const links = (netns: string) =>
    run(netns, 'ip', '-br', 'link').replaceAll(/@\S+/g, '').split('\n').toSorted();
  const random = /port00000000001\s+\S+\s+\S+/;
  return [
    ...links(host.netns),
    ...links(host.network()).map((line) => line.replace(random, 'port00000000001')),
    ...fdbOf(host),
    ...neighborsOf(host),
    run(host.network(), 'nft', '-s', 'list', 'ruleset'),
    run(host.netns, 'nft', '-s', 'list', 'ruleset'),
  ];
}

/** Nothing of ours, anywhere. */
function isEmpty(host: LabHost): boolean {
  return !run(host.netns, 'ip', 'link').includes('weft') && netnsFiles(host).length === 0;
}

function netnsFiles(host: LabHost): string[] {
  try {
    return readdirSync(host.netnsDir);
  } catch {
    return [];
  }
}

test('datapath > takes over what is there without a single change', async (t) => {
  await using lab = await VxlanLab.create();
  const [host] = lab.hosts;
  await create(host!.datapath);
  const indexes = () =>
    run(host!.network(), 'ip', '-o', 'link') + run(host!.netns, 'ip', '-o', 'link');
  const before = [indexes(), ...stateOf(host!)];
  await host!.datapath.close();
  const kernel = new FaultyKernel();
  await using after = await host!.open({ kernel });
  await after.ensureNetwork(spec());
  await after.ensureEndpoint(NETWORK, endpoint(1));
  await after.setRemote(NETWORK, remote);
  await after.setKnownVteps([VTEP]);
  await after.reconcile({ prune: true });
  // One: createNetns, which finds that there is one.
  t.is(kernel.changes, 1);
  t.deepEqual([indexes(), ...stateOf(host!)], before);
});

test('datapath > in whatever order a restart tells it, rows of what is attached never go', async (t) => {
  await using lab = await VxlanLab.create();
  const [host] = lab.hosts;
  await create(host!.datapath);
  await host!.datapath.ensureEndpoint(NETWORK, endpoint(3));
  const before = stateOf(host!);
  await host!.datapath.close();
  await using after = await host!.open();
  await after.ensureNetwork(spec());
  t.deepEqual(stateOf(host!), before);
  await after.setRemote(NETWORK, remote);
  t.deepEqual(stateOf(host!), before);
  await after.ensureEndpoint(NETWORK, endpoint(1));
  await after.reconcile({ prune: false });
  t.deepEqual(stateOf(host!), before);
});

test('datapath > a container keeps talking while its data path is closed and opened again', async (t) => {
  await using lab = await VxlanLab.create({ hosts: 2 });
  const [a, b] = lab.hosts;
  for (const host of lab.hosts) await host.datapath.ensureNetwork(spec());
  const one = await lab.attach(a!, endpoint(1));
  await lab.attach(b!, endpoint(2));
  await lab.tellAll([[endpoint(1)], [endpoint(2)]]);
  const stream = one.ask('stream', { address: '10.0.0.2', port: 7, seconds: 1.5 });
  for (let i = 0; i < 3; i += 1) {
    await b!.datapath.close();
    await using again = await b!.open();
    await again.ensureNetwork(spec());
    await again.setRemote(NETWORK, { vteps: [a!.vtep], peers: [peer(endpoint(1), a!.vtep)] });
    await again.ensureEndpoint(NETWORK, endpoint(2));
    await again.reconcile({ prune: true });
  }
  const { sent, answered } = (await stream) as { sent: number; answered: number };
  t.is(answered, sent);
});

test('datapath > killed before any change of a creation, it creates the same again, nothing doubled or left (D7)', async (t) => {
  await using lab = await VxlanLab.create();
  const [host] = lab.hosts;
  await create(host!.datapath);
  const right = stateOf(host!);
  await remove(host!.datapath);
  await host!.datapath.close();

  let isDone = false;
  for (let at = 0; !isDone; at += 1) {
    const kernel = new FaultyKernel(at);
    const dying = await host!.open({ kernel });
    isDone = await create(dying).then(
      () => true,
      () => false,
    );
    await dying.close().catch(() => undefined);
    {
      await using again = await host!.open();
      await create(again);
      t.deepEqual(stateOf(host!), right, `killed at change ${at}`);
      t.like(again.inspect(), { guard: { state: 'ok' }, networks: [{ status: { state: 'ok' } }] });
      await again.reconcile({ prune: true });
      t.deepEqual(stateOf(host!), right, `killed at change ${at}, and pruned`);
      await remove(again);
      t.true(isEmpty(host!), `killed at change ${at}, and removed`);
    }
    if (isDone) t.log(`${at} points`);
  }
});

test('datapath > killed before any change of a creation, and nobody wants it any more: pruning leaves nothing', async (t) => {
  await using lab = await VxlanLab.create();
  const [host] = lab.hosts;
  await host!.datapath.close();
  let isDone = false;
  for (let at = 0; !isDone; at += 1) {
    const dying = await host!.open({ kernel: new FaultyKernel(at) });
    isDone = await create(dying).then(
      () => true,
      () => false,
    );
    await dying.close().catch(() => undefined);
    await using again = await host!.open();
    await again.reconcile({ prune: true });
    t.true(isEmpty(host!), `killed at change ${at}`);
  }
});

test('datapath > killed before any change of a removal, it removes the rest', async (t) => {
  await using lab = await VxlanLab.create();
  const [host] = lab.hosts;
  await host!.datapath.close();
  let isDone = false;
  for (let at = 0; !isDone; at += 1) {
    {
      await using before = await host!.open();
      await create(before);
    }
    const kernel = new FaultyKernel(at);
    const dying = await host!.open({ kernel });
    isDone = await remove(dying).then(
      () => true,
      () => false,
    );
    await dying.close().catch(() => undefined);
    await using again = await host!.open();
    await remove(again);
    t.true(isEmpty(host!), `killed at change ${at}`);
  }
});

test('datapath > an endpoint that fails at any change leaves nothing, and can be made after', async (t) => {
  await using lab = await VxlanLab.create();
  const [host] = lab.hosts;
  await host!.datapath.ensureNetwork(spec());
  await host!.datapath.setRemote(NETWORK, remote);
  await host!.datapath.close();
  let isDone = false;
  for (let at = 0; !isDone; at += 1) {
    // The first change is createNetns, which finds that there is one.
    await using faulty = await host!.open({ kernel: new FaultyKernel(at + 1, 'refuse') });
    await faulty.ensureNetwork(spec());
    await faulty.setRemote(NETWORK, remote);
    const before = stateOf(host!);
    isDone = await faulty.ensureEndpoint(NETWORK, endpoint(1)).then(
      () => true,
      () => false,
    );
    if (isDone) break;
    t.deepEqual(stateOf(host!), before, `refused change ${at}`);
    await faulty.ensureEndpoint(NETWORK, endpoint(1));
    await faulty.deleteEndpoint(NETWORK, endpoint(1).id);
    t.deepEqual(stateOf(host!), before, `refused change ${at}, then made and deleted`);
  }
});

test('datapath > a network that fails leaves no namespace', async (t) => {
  await using lab = await VxlanLab.create();
  const [host] = lab.hosts;
  let isDone = false;
  for (let at = 0; !isDone; at += 1) {
    await using faulty = await host!.open({ kernel: new FaultyKernel(at, 'refuse') });
    isDone = await faulty.ensureNetwork(spec()).then(
      () => true,
      () => false,
    );
    if (isDone) break;
    t.true(isEmpty(host!), `refused change ${at}`);
    await faulty.ensureNetwork(spec());
    await faulty.deleteNetwork(NETWORK);
  }
});

test('datapath > says who has the VNI when it is not ours, and how to go on (D7)', async (t) => {
  await using lab = await VxlanLab.create();
  const [host] = lab.hosts;
  run(host!.netns, ...'ip link add theirs type vxlan id 77 dstport 4789'.split(' '));
  await t.throwsAsync(host!.datapath.ensureNetwork(spec()), {
    code: 'VNI_TAKEN',
    message: /^VNI 77 on UDP port 4789 is held by link "theirs" in the host's namespace; remove/,
  });
  t.deepEqual(netnsFiles(host!), [], 'nothing is left of ours');
  run(host!.netns, 'ip', 'link', 'del', 'theirs');

  const container = await lab.container();
  const name = container.netns.split('/').pop()!;
  run(host!.netns, ...`ip link add theirs netns ${name} type vxlan id 77 dstport 4789`.split(' '));
  await t.throwsAsync(host!.datapath.ensureNetwork(spec()), {
    code: 'VNI_TAKEN',
    message: new RegExp(`link "theirs" in ${container.netns}`),
  });
  run(container.netns, 'ip', 'link', 'del', 'theirs');

  await host!.datapath.ensureNetwork(spec({ id: OTHER }));
  await t.throwsAsync(host!.datapath.ensureNetwork(spec()), {
    code: 'VNI_TAKEN',
    message: /held by network 00000000bbbb of weft/,
  });
  await host!.datapath.deleteNetwork(OTHER);
  await host!.datapath.ensureNetwork(spec());
  await host!.datapath.ensureNetwork(spec({ id: OTHER, vni: parseVni(78) }));
  t.is(host!.datapath.inspect().networks.length, 2);
});

test('datapath > clears a leftover of its own that has the VNI (D7)', async (t) => {
  await using lab = await VxlanLab.create();
  const [host] = lab.hosts;
  await host!.datapath.ensureNetwork(spec({ id: OTHER }));
  await host!.datapath.close();
  await using after = await host!.open();
  await after.ensureNetwork(spec());
  t.is(after.inspect().networks[0]?.status.state, 'ok');
  t.notRegex(run(host!.network(OTHER), 'ip', 'link'), /vxlan0/);
});
