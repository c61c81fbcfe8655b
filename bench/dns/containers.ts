/** What a container costs that is answered names: to keep, and to start, beside one that has Docker's resolver only. */
import { type Host, Lab, imageName, waitFor } from '../../lab/index.js';
import type { Bench, BenchContext, Result } from '../bench.js';
import { cpuOf, descriptorsOf, ownMemoryOf } from '../daemon/process.js';
import { Samples, alternate, percentile } from '../samples.js';
import { NETWORK } from './names.js';

interface Plan {
  /** Containers on the host. */
  readonly count: number;
  /** Timed starts each time. */
  readonly starts: number;
}

const promised: Plan = { count: 500, starts: 10 };
const smoke: Plan = { count: 3, starts: 1 };

/** With names, and without. */
const subjects = ['weft', 'without-names'] as const;
const LANES = 4;
/** Two sockets each: with fewer the process is still being told. */
const FDS_AT_LEAST = 2;
const SETTLE_MS = 60_000;
/** Of a second. */
const IDLE_MS = 30;

export const containers: Bench = {
  name: 'containers',
  summary: 'memory, descriptors and start of containers that are answered names, and of others',
  defaultRuns: 3,
  needsLab: true,
  peer: 'without-names',
  run,
};

async function run({ scope, engine, runs, progress }: BenchContext): Promise<Result[]> {
  const { count, starts } = scope === 'smoke' ? smoke : promised;
  const samples = new Samples();
  await using lab = await Lab.create({ hosts: 1, engine, store: 'embedded', startWeft: false });
  const host = lab.host(0);
  await host.names.start();
  await host.daemon.start();
  await host.docker('network', 'create', '--driver', 'weft', '--ipam-driver', 'weft', NETWORK);
  // What the first one makes the process load is not each one's.
  await start(host, 'first');
  const before = await costOf(host, 1, runs);
  progress(`${count} containers`);
  await startAll(host, count);
  const after = await costOf(host, 1 + count, runs);
  samples.add('weft', 'descriptors of a container', 'count', (after.fds - before.fds) / count);
  samples.add('weft', 'memory of a container', 'KiB', (after.kib - before.kib) / count);
  samples.add('weft', 'memory with one container', 'MiB', before.kib / 1024);
  samples.add('weft', `memory with ${count} more`, 'MiB', after.kib / 1024);
  progress('starts');
  await alternate(runs, subjects, async (subject) => {
    await setNames(lab, host, subject === 'weft');
    for (let i = 0; i <= starts; i += 1) {
      const ms = await timedStart(host);
      // The first one meets a daemon that has just started.
      if (i > 0) samples.add(subject, `docker run -d beside ${count} others`, 'ms', ms);
    }
  });
  return samples.results();
}

async function start(host: Host, name: string): Promise<void> {
  const on = ['--name', name, '--network', NETWORK];
  await host.docker('run', '--detach', ...on, imageName, 'sleep', '86400');
}

async function startAll(host: Host, count: number): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < count) await start(host, `c${next++}`);
  };
  await Promise.all(Array.from({ length: LANES }, lane));
}

async function timedStart(host: Host): Promise<number> {
  const begin = performance.now();
  await start(host, 'timed');
  const ms = performance.now() - begin;
  await host.docker('rm', '--force', 'timed');
  return ms;
}

async function setNames(lab: Lab, host: Host, enabled: boolean): Promise<void> {
  await host.configureWeft({ ...lab.weftConfig(), dns: { enabled } });
  await host.daemon.restart();
  // A daemon that has just started takes up what it finds, which is not what a start costs.
  for (const service of [host.daemon, host.names]) {
    const pid = (await service.pid())!;
    let before = 0;
    const isIdle = async (): Promise<boolean> => {
      const spent = (await cpuOf(pid)) - before;
      before += spent;
      return spent < IDLE_MS;
    };
    await waitFor(`${service.name} to be idle`, isIdle, { timeoutMs: SETTLE_MS, intervalMs: 1000 });
  }
}

interface Cost {
  readonly kib: number;
  readonly fds: number;
}

/** Of the process that answers so many containers: medians of processes that have just begun, since what one has left to collect is more than a container takes. */
async function costOf(host: Host, count: number, runs: number): Promise<Cost> {
  const costs: Cost[] = [];
  for (let i = 0; i < runs; i += 1) {
    await host.names.restart();
    const pid = (await host.names.pid())!;
    let fds = 0;
    await waitFor(
      `${count} containers to be served`,
      async () => {
        const before = fds;
        fds = await descriptorsOf(pid);
        return fds === before && fds >= count * FDS_AT_LEAST;
      },
      { timeoutMs: SETTLE_MS, intervalMs: 2000 },
    );
    costs.push({ kib: await ownMemoryOf(pid), fds });
  }
  const median = (all: readonly number[]): number => percentile(all, 50);
  return { kib: median(costs.map(({ kib }) => kib)), fds: median(costs.map(({ fds }) => fds)) };
}
