/** What a daemon costs that knows many endpoints elsewhere: to start, to keep, to compare with the kernel, to follow. */
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { type Host, Lab, waitFor } from '../../lab/index.js';
import type { Bench, BenchContext, Result } from '../bench.js';
import { control, crowdOf, forwards, knows, makeNetwork, storeOf } from '../cluster/clustered.js';
import type { Crowd } from '../cluster/crowd.js';
import { Samples } from '../samples.js';
import { Bystander } from './bystander.js';
import { cpuOf, keepOn, memoryOf } from './process.js';

const subject = 'weft';
const sizes = { smoke: [10], headline: [10, 1_000, 10_000], full: [10, 1_000, 10_000] } as const;

interface Times {
  readonly settleMs: number;
  readonly idleMs: number;
  readonly burst: number;
}

export const daemon: Bench = {
  name: 'daemon',
  summary:
    'start, memory, idle CPU, reconciliation and event loop of a daemon that knows many endpoints',
  defaultRuns: 3,
  needsLab: true,
  run,
};

async function run(context: BenchContext): Promise<Result[]> {
  const isSmoke = context.scope === 'smoke';
  const times: Times = isSmoke
    ? { settleMs: 100, idleMs: 500, burst: 20 }
    : { settleMs: 20_000, idleMs: 20_000, burst: 1_000 };
  const samples = new Samples();
  await using lab = await Lab.create({ hosts: 1, engine: context.engine, store: 'consul' });
  const host = lab.host(0);
  await makeNetwork([host]);
  await using store = storeOf(lab);
  const crowd = await crowdOf(store);
  for (const size of sizes[context.scope]) {
    context.progress(`${size} endpoints elsewhere`);
    await crowd.growTo(size);
    await forwards(host, size);
    for (let i = 0; i < context.runs; i += 1) await measure(host, samples, size, times);
  }
  const daemonPid = (await host.daemon.pid())!;
  const others = [process.pid, (await lab.consul[0]!.server.pid())!];
  // The crowd's hosts and Consul would be on other machines: they shall not take the daemon's core.
  await keepOn(0, [daemonPid]);
  await keepOn(1, others);
  using bystander = await Bystander.start(0);
  for (let i = 0; i < context.runs; i += 1) {
    await measureBurst({ host, crowd, bystander, samples }, times.burst);
  }
  await keepOn(undefined, [process.pid]);
  return samples.results();
}

async function measure(host: Host, samples: Samples, size: number, times: Times): Promise<void> {
  const at = `${size} endpoints`;
  const { logPath } = host.daemon;
  await host.daemon.stop();
  const before = (await readFile(logPath, 'utf8')).length;
  const begin = Date.now();
  await host.daemon.start();
  const log = async () => (await readFile(logPath, 'utf8')).slice(before);
  const compared = await waitFor(
    'comparison with the kernel',
    async () => /^(\S+) .*data path compared with the kernel.* durationMs=(\S+)/m.exec(await log()),
    { timeoutMs: 60_000 },
  );
  const [ready = ''] = /^\S+(?= info +daemon +ready )/m.exec(await log()) ?? [];
  samples.add(subject, `start to ready, ${at}`, 'ms', Date.parse(ready) - begin);
  samples.add(subject, `start to compared, ${at}`, 'ms', Date.parse(compared[1]!) - begin);
  samples.add(subject, `reconcile round, ${at}`, 'ms', Number(compared[2]));
  await knows(host, size);
  await delay(times.settleMs);
  const pid = (await host.daemon.pid())!;
  const cpu = await cpuOf(pid);
  const start = performance.now();
  await delay(times.idleMs);
  const share = ((await cpuOf(pid)) - cpu) / (performance.now() - start);
  samples.add(subject, `idle CPU, ${at}`, '%', share * 100);
  samples.add(subject, `memory, ${at}`, 'MiB', await memoryOf(pid));
}

interface BurstDeps {
  readonly host: Host;
  readonly crowd: Crowd;
  readonly bystander: Bystander;
  readonly samples: Samples;
}

/** Changes as fast as the store takes them, and how long anything else in the daemon has to wait meanwhile. */
async function measureBurst(
  { host, crowd, bystander, samples }: BurstDeps,
  count: number,
): Promise<void> {
  const client = control(host);
  const total = crowd.endpoints + count;
  const at = `${count} changes`;
  await client.eventLoop();
  await bystander.delayMs();
  const start = performance.now();
  await crowd.burst(count);
  const written = performance.now();
  await forwards(host, total);
  const done = performance.now();
  const { delayMs } = await client.eventLoop();
  const beside = await bystander.delayMs();
  samples.add(subject, `event loop delay p99, ${at}`, 'ms', delayMs.p99);
  samples.add('idle process', `event loop delay p99, ${at}`, 'ms', beside);
  samples.add(subject, `event loop delay max, ${at}`, 'ms', delayMs.max);
  samples.add(subject, `written, ${at}`, 'ms', written - start);
  samples.add(subject, `in the kernel after the last, ${at}`, 'ms', Math.max(0, done - written));
}
