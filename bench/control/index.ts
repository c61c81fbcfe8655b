/** What Docker waits for: plugin calls, whole containers, and other hosts' kernels hearing of them. */
import { type Host, Lab, imageName } from '../../lab/index.js';
import type { Bench, BenchContext, Result } from '../bench.js';
import {
  crowdOf,
  forwards,
  knows,
  makeNetwork,
  networkName,
  storeOf,
} from '../cluster/clustered.js';
import { Samples, alternate } from '../samples.js';
import { measureCalls } from './calls.js';
import { measureFirstPackets } from './first-packet.js';

const overlay = 'bench-overlay';
const userBridge = 'bench-bridge';
const sizes = { smoke: [10], headline: [10, 1_000, 10_000], full: [10, 1_000, 10_000] } as const;

/** Those that cross hosts. */
const shared = [
  { subject: 'docker-overlay', network: overlay, addresses: '10.44.0.2' },
  { subject: 'weft', network: networkName, addresses: '10.60.99.2' },
] as const;

const networks = [
  { subject: 'none', network: 'none' },
  { subject: 'user-bridge', network: userBridge },
  { subject: 'docker-overlay', network: overlay },
  { subject: 'weft', network: networkName },
] as const;

export const control: Bench = {
  name: 'control',
  summary: 'plugin calls, docker run, and how soon other hosts know of a new container',
  defaultRuns: 7,
  needsLab: true,
  peer: 'docker-overlay',
  run,
};

async function run(context: BenchContext): Promise<Result[]> {
  const isSmoke = context.scope === 'smoke';
  const samples = new Samples();
  await using lab = await Lab.create({ hosts: 2, engine: context.engine, store: 'consul' });
  const [here, elsewhere] = [lab.host(0), lab.host(1)];
  await makeNetwork([here, elsewhere]);
  await makePeers(here, elsewhere);
  await using store = storeOf(lab);
  const crowd = await crowdOf(store);
  for (const size of sizes[context.scope]) {
    const at = `${size} endpoints`;
    context.progress(`${at} in the store`);
    await crowd.growTo(size);
    for (const host of [here, elsewhere]) {
      await knows(host, size);
      await forwards(host, size);
    }
    await measureCalls({ here, elsewhere, samples, lives: isSmoke ? 5 : 100, at });
    await measureRuns(here, samples, context.runs, at);
  }
  context.progress('first packets');
  await measureFirstPackets({ here, elsewhere, samples, runs: isSmoke ? 1 : 10, networks: shared });
  const [together, runs] = isSmoke ? [2, 1] : [20, 3];
  context.progress(`${together} containers at once`);
  await measureTogether(here, samples, together, runs);
  await measureEmbedded(context, samples);
  return samples.results();
}

/** The same calls on a host by itself. */
async function measureEmbedded(context: BenchContext, samples: Samples): Promise<void> {
  context.progress('embedded store');
  await using lab = await Lab.create({ hosts: 1, engine: context.engine, store: 'embedded' });
  const here = lab.host(0);
  await makeNetwork([here]);
  const lives = context.scope === 'smoke' ? 5 : 100;
  await measureCalls({ here, samples, lives, at: 'embedded store' });
}

/** What a user would pick instead, on the same engines. */
async function makePeers(one: Host, two: Host): Promise<void> {
  await one.docker('network', 'create', userBridge);
  await one.docker('swarm', 'init', '--advertise-addr', one.address);
  const token = await one.docker('swarm', 'join-token', '--quiet', 'worker');
  await two.docker('swarm', 'join', '--token', token, `${one.address}:2377`);
  const driver = ['--driver', 'overlay', '--attachable', '--subnet', '10.44.0.0/24'];
  await one.docker('network', 'create', ...driver, overlay);
}

async function measureRuns(host: Host, samples: Samples, runs: number, at: string): Promise<void> {
  const runOnce = async (network: string): Promise<unknown> =>
    host.docker('run', '--rm', '--network', network, imageName, 'true');
  // The first container on a network makes Docker prepare it.
  for (const { network } of networks) await runOnce(network);
  await alternate(runs, networks, async ({ subject, network }) => {
    const ms = await timed(async () => runOnce(network));
    samples.add(subject, `docker run --rm, ${at}`, 'ms', ms);
  });
}

/** Containers started at once, until the last `docker run` has returned. */
async function measureTogether(
  host: Host,
  samples: Samples,
  count: number,
  runs: number,
): Promise<void> {
  const names = Array.from({ length: count }, (_, i) => `together-${i}`);
  await alternate(runs, networks, async ({ subject, network }) => {
    const start = async (name: string): Promise<string> =>
      host.docker('run', '-d', '--name', name, '--network', network, imageName, 'sleep', '600');
    const ms = await timed(async () => Promise.all(names.map(start)));
    samples.add(subject, `${count} containers at once`, 'ms', ms);
    await host.docker('rm', '--force', ...names);
  });
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}
