/** What a packet costs: bare underlay, Docker's overlay and weft between the same two hosts. */
import { cpus } from 'node:os';
import { Lab } from '../../lab/index.js';
import type { Family } from '../../src/net/index.js';
import { Closer } from '../../src/util/index.js';
import type { Bench, BenchContext, Result } from '../bench.js';
import { Samples, rotated } from '../samples.js';
import { probes } from './probes.js';
import { Servers } from './servers.js';
import { labShape, makePaths } from './stage.js';

const seconds = 1;

interface Condition {
  readonly cores: 'one-core' | 'two-cores';
  readonly family: Family;
}

export const datapath: Bench = {
  name: 'datapath',
  summary: 'throughput, packets, round trips and connections between containers on two hosts',
  defaultRuns: 9,
  needsLab: true,
  peer: 'docker-overlay',
  run,
};

async function run(context: BenchContext): Promise<Result[]> {
  const samples = new Samples();
  for (const mtu of context.scope === 'full' ? [1500, 9000] : [1500]) {
    await measureUnderlay(context, samples, mtu);
  }
  return samples.results();
}

/** One lab, and all that is to be measured on an underlay of this MTU. */
async function measureUnderlay(
  context: BenchContext,
  samples: Samples,
  mtu: number,
): Promise<void> {
  context.progress(`four hosts, an underlay of ${mtu} octets`);
  await using lab = await Lab.create({ ...labShape, engine: context.engine, mtu });
  const paths = await makePaths(lab, mtu);
  await using closer = new Closer();
  // One core for all, or the last for servers and the first for clients.
  const last = cpus().length - 1;
  for (const { server } of paths) closer.use(await Servers.start(server, last));
  for (const { cores, family } of conditions(context)) {
    const clientCore = cores === 'one-core' ? last : 0;
    const at = `${cores} ipv${family} mtu-${mtu}`;
    const able = paths.filter(({ server }) => server.addresses[family] !== undefined);
    for (let round = 0; round < context.runs; round += 1) {
      for (const probe of probes) {
        if (!context.wants(`${probe.name} ${at}`)) continue;
        context.progress(`run ${round + 1} of ${context.runs}: ${probe.name} ${at}`);
        for (const path of rotated(able, round)) {
          const value = await probe.measure({ path, family, clientCore, seconds });
          samples.add(path.subject, `${probe.name} ${at}`, probe.unit, value);
        }
      }
    }
  }
}

function conditions({ scope }: BenchContext): Condition[] {
  const headline: Condition = { cores: 'one-core', family: 4 };
  if (scope !== 'full') return [headline];
  return [
    headline,
    { cores: 'one-core', family: 6 },
    { cores: 'two-cores', family: 4 },
    { cores: 'two-cores', family: 6 },
  ];
}
