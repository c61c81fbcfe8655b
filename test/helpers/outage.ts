/** What tests of outages ask of a lab: whether all agree, and what weftd costs meanwhile. */
import { readFile } from 'node:fs/promises';
import { type Host, type Lab, waitFor } from '../../lab/index.js';
import { messageOf } from '../../src/util/index.js';
import { collect } from '../chaos/facts.js';
import { judge } from '../chaos/judge.js';
import { createNetwork, runIdle } from './weft-lab.js';

/** A hundredth of a second: USER_HZ is 100 wherever Linux runs. */
const TICK_MS = 10;
const NETWORKS = ['n1', 'n2', 'n3', 'n4', 'n5'];

/** Ten containers, `HOST-N`, on five networks each: fifty endpoints. */
export async function fiftyEndpoints(lab: Lab): Promise<void> {
  for (const network of NETWORKS) await createNetwork(lab.hosts, network);
  await Promise.all(
    lab.hosts.map(async (host, i) => {
      for (let n = 0; n < (i === 0 ? 4 : 3); n += 1) {
        const flags = NETWORKS.flatMap((network) => ['--network', network]);
        await runIdle(host, `${host.name}-${n}`, ...flags);
      }
    }),
  );
  await allAgree(lab);
}

/** Waits until store, Docker and kernel of every host agree; answers how many milliseconds that took. */
export async function allAgree(lab: Lab, timeoutMs = 60_000): Promise<number> {
  const began = performance.now();
  let wrong: readonly string[] = ['not looked'];
  try {
    await waitFor(
      'all to agree',
      async () => {
        const facts = await collect(lab, { live: () => [], round: 0 });
        wrong = judge(facts).filter((text) => !/prober|degraded/.test(text));
        return wrong.length === 0;
      },
      { timeoutMs, intervalMs: 100 },
    );
  } catch (cause) {
    throw new Error(`${messageOf(cause)}; wrong at the last look:\n${wrong.join('\n')}`, { cause });
  }
  return performance.now() - began;
}

/** What weftd on each host uses of one core meanwhile, in percent. */
export async function cpuDuring(lab: Lab, work: () => Promise<unknown>): Promise<number[]> {
  const ticks = async ({ daemon }: Host): Promise<number> => {
    const stat = await readFile(`/proc/${await daemon.pid()}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return Number(fields[11]) + Number(fields[12]);
  };
  const before = await Promise.all(lab.hosts.map(ticks));
  const began = performance.now();
  await work();
  const took = performance.now() - began;
  const after = await Promise.all(lab.hosts.map(ticks));
  return after.map((count, i) => (100 * (count - before[i]!) * TICK_MS) / took);
}

export async function stopStore(lab: Lab): Promise<void> {
  await Promise.all(lab.consul.map(async ({ server }) => server.kill()));
}

export async function startStore(lab: Lab): Promise<void> {
  await Promise.all(lab.consul.map(async ({ server }) => server.start({ wait: false })));
  await Promise.all(lab.consul.map(async ({ server }) => server.ready()));
}

/** Servers that were cut off find each other again only after a while, and until then it is Consul that is away. */
export async function storeAnswers(lab: Lab): Promise<void> {
  const url = `${lab.consul[0]!.url}/v1/kv/weft/v1/?keys&consistent`;
  await waitFor(
    'Consul to answer',
    async () => (await fetch(url, { signal: AbortSignal.timeout(1000) })).status === 200,
    { timeoutMs: 90_000, intervalMs: 100 },
  );
}
