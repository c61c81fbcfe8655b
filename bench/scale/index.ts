/**
 * One real weftd on a real Consul beside simulated hosts that write what real ones would. Measures what a change among them
 * costs that one: how long it takes to its kernel, CPU, memory, octets read.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Host, Lab, waitFor } from '../../lab/index.js';
import { type Prefix } from '../../src/net/index.js';
import { type Monitor, closeFd, openNetns, openRouteMonitor } from '../../src/netlink/index.js';
import { createArgs } from '../../test/helpers/weft-lab.js';
import type { Bench, BenchContext, Result } from '../bench.js';
import { percentile } from '../samples.js';
import { Swarm, type SwarmNetwork, type SwarmSize } from './swarm.js';

interface Plan {
  readonly networks: number;
  readonly sizes: readonly SwarmSize[];
  readonly changes: number;
}

const plans: Readonly<Record<BenchContext['scope'], Plan>> = {
  smoke: { networks: 2, sizes: [{ hosts: 10, endpoints: 100 }], changes: 20 },
  headline: {
    networks: 20,
    sizes: [
      { hosts: 10, endpoints: 500 },
      { hosts: 100, endpoints: 5_000 },
      { hosts: 1_000, endpoints: 50_000 },
    ],
    changes: 300,
  },
  full: {
    networks: 20,
    sizes: [10, 30, 100, 300, 1_000].map((hosts) => ({ hosts, endpoints: hosts * 50 })),
    changes: 1_000,
  },
};

/** Ten containers a second come and go in the cluster. */
const CHANGE_EVERY_MS = 100;
const SETTLE_MS = 300_000;
const TICKS_PER_S = 100;

export const scale: Bench = {
  name: 'scale',
  summary:
    'one real host among a thousand simulated ones: time to the kernel, CPU, memory, octets read',
  defaultRuns: 1,
  needsLab: true,
  run: async ({ scope, engine, progress }) => {
    const { networks, sizes, changes } = plans[scope];
    await using lab = await Lab.create({ hosts: 1, engine, store: 'consul' });
    const host = lab.host(0);
    const names = Array.from({ length: networks }, (_, i) => `s${i + 1}`);
    for (const name of names) await host.docker(...createArgs(name));
    const shared = await networksOf(host);
    await using kernel = await KernelEye.open(host, shared);
    const swarm = new Swarm(lab.consul[0]!.url, shared);
    const results: Result[] = [];
    for (const size of sizes) {
      const began = performance.now();
      await swarm.growTo(size);
      await waitFor(
        `${size.endpoints} endpoints in the kernel`,
        async () => (await peersOf(host)) === swarm.endpoints,
        { timeoutMs: SETTLE_MS, intervalMs: 200 },
      );
      const seconds = ((performance.now() - began) / 1000).toFixed(1);
      progress(`${size.hosts} hosts, ${swarm.endpoints} endpoints, there after ${seconds} s`);
      results.push(...(await churn({ host, swarm, kernel, size, changes })));
    }
    return results;
  },
};

interface Churn {
  readonly host: Host;
  readonly swarm: Swarm;
  readonly kernel: KernelEye;
  readonly size: SwarmSize;
  readonly changes: number;
}

async function churn({ host, swarm, kernel, size, changes }: Churn): Promise<Result[]> {
  const before = await usageOf(host);
  const began = performance.now();
  const changed: { readonly mac: string; readonly began: number }[] = [];
  for (let n = 0; n < changes; n += 1) {
    changed.push(await swarm.change(n));
    await delay(Math.max(0, began + (n + 1) * CHANGE_EVERY_MS - performance.now()));
  }
  await waitFor('every change in the kernel', () => changed.every(({ mac }) => kernel.at(mac)), {
    timeoutMs: 60_000,
  });
  const seconds = (performance.now() - began) / 1000;
  const after = await usageOf(host);
  const times = changed.map((change) => kernel.at(change.mac)! - change.began);
  const metric = (name: string, unit: string, values: readonly number[], median?: number) => ({
    subject: 'weft',
    metric: `${size.hosts} hosts, ${size.endpoints} endpoints: ${name}`,
    unit,
    median: Number((median ?? percentile(values, 50)).toPrecision(6)),
    min: Number(Math.min(...values, median ?? Infinity).toPrecision(6)),
    max: Number(Math.max(...values, median ?? -Infinity).toPrecision(6)),
    runs: values.length,
  });
  return [
    metric('change to kernel', 'ms', times),
    metric('change to kernel, p99', 'ms', [percentile(times, 99)]),
    metric('CPU at 10 changes/s', '% of a core', [
      (100 * (after.cpuSeconds - before.cpuSeconds)) / seconds,
    ]),
    metric('memory', 'MB', [after.residentMb]),
    metric('read from Consul per change', 'KB', [
      (after.octetsIn - before.octetsIn) / 1000 / changes,
    ]),
  ];
}

/** Sees each MAC when the kernel first forwards to it. */
class KernelEye implements AsyncDisposable {
  readonly #monitors: Monitor[] = [];
  readonly #seen = new Map<string, number>();

  static async open(host: Host, networks: readonly SwarmNetwork[]): Promise<KernelEye> {
    const eye = new KernelEye();
    for (const { id } of networks) {
      const netns = openNetns(host.path(join('/run/netns', `weft-${id}`)));
      eye.#monitors.push(
        await openRouteMonitor({
          netns,
          groups: ['neighbor'],
          onEvent: (event) => {
            if (event.type !== 'fdb' || event.isGone) return;
            if (!eye.#seen.has(event.entry.mac)) eye.#seen.set(event.entry.mac, performance.now());
          },
          onError: (error) => {
            throw error;
          },
        }),
      );
      closeFd(netns);
    }
    return eye;
  }

  /** On the clock of `performance.now()`. */
  at(mac: string): number | undefined {
    return this.#seen.get(mac);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const monitor of this.#monitors) monitor.close();
  }
}

async function networksOf(host: Host): Promise<SwarmNetwork[]> {
  const listed = JSON.parse(await host.weft('network', 'ls', '--json')) as {
    id: string;
    pools: Prefix[];
  }[];
  return listed.map(({ id, pools }) => ({ id, prefix: pools[0]! }));
}

/** Endpoints elsewhere that the kernel has a tunnel for. */
async function peersOf(host: Host): Promise<number> {
  const script = `for name in $(ls /run/netns | grep ^weft-); do
    nsenter --net=/run/netns/$name bridge fdb show dev vxlan0
  done | grep ' dst ' | grep -vc ^00:00:00:00:00:00`;
  return Number((await host.exec(['sh', '-c', script])).stdout);
}

async function usageOf(host: Host) {
  const pid = await host.daemon.pid();
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const links = await readFile(`/proc/${pid}/net/dev`, 'utf8');
  return {
    cpuSeconds: (Number(fields[11]) + Number(fields[12])) / TICKS_PER_S,
    residentMb: (Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) * 1024) / 1e6,
    // Nothing but Consul talks to this host.
    octetsIn: Number(/^\s*eth0:\s*(\d+)/m.exec(links)?.[1]),
  };
}
