/** Where the time of a small packet goes: bare underlay, Docker's overlay and weft, by part and function of the kernel. */
import { cpus } from 'node:os';
import { join } from 'node:path';
import { Lab } from '../../lab/index.js';
import { Closer } from '../../src/util/index.js';
import type { Bench, BenchContext, Result } from '../bench.js';
import type { Path } from '../datapath/place.js';
import { pingPong } from '../datapath/probes.js';
import { Servers } from '../datapath/servers.js';
import { labShape, makePaths } from '../datapath/stage.js';
import { Samples, rotated } from '../samples.js';
import { partOf } from './parts.js';
import { type SampledSymbol, sampled, samplesPerSecond } from './perf.js';

const mtu = 1500;
const seconds = 4;
const smokeSeconds = 1;
/** Functions below this are in their part's sum only. */
const leastNs = 40;

export const profile: Bench = {
  name: 'profile',
  summary: "where a small packet's time goes, by part and function of the kernel",
  defaultRuns: 5,
  needsLab: true,
  peer: 'docker-overlay',
  run,
};

async function run(context: BenchContext): Promise<Result[]> {
  context.progress('four hosts');
  await using lab = await Lab.create({ ...labShape, engine: context.engine, mtu });
  const paths = await makePaths(lab, mtu);
  await using closer = new Closer();
  const core = cpus().length - 1;
  for (const { server } of paths) closer.use(await Servers.start(server, core));
  const samples = new Samples();
  const functions = new Samples();
  for (let round = 0; round < context.runs; round += 1) {
    for (const path of rotated(paths, round)) {
      context.progress(`run ${round + 1} of ${context.runs}: ${path.subject}`);
      const symbols = await nanosecondsPerPacket(lab, path, core, context);
      const sums = new Map<string, number>([['all', 0]]);
      for (const { symbol, isKernel, ns } of symbols) {
        const part = partOf(symbol, isKernel);
        sums.set(part, (sums.get(part) ?? 0) + ns);
        sums.set('all', sums.get('all')! + ns);
        if (isKernel) functions.add(path.subject, `${part}: ${symbol}`, 'ns/packet', ns);
      }
      for (const [part, ns] of sums) samples.add(path.subject, part, 'ns/packet', ns);
    }
  }
  const notable = functions.results().filter(({ median }) => median >= leastNs);
  const byName = (a: Result, b: Result): number => (a.metric < b.metric ? -1 : 1);
  return [...samples.results().sort(byName), ...notable.sort(byName)];
}

async function nanosecondsPerPacket(
  lab: Lab,
  path: Path,
  core: number,
  { scope }: BenchContext,
): Promise<(SampledSymbol & { readonly ns: number })[]> {
  const forSeconds = scope === 'smoke' ? smokeSeconds : seconds;
  const file = join(lab.directory, 'perf.data');
  const watched = { core, seconds: forSeconds + 1, comm: 'sockperf' };
  const shot = { path, family: 4, clientCore: core, seconds: forSeconds } as const;
  const { symbols, done } = await sampled(file, watched, async () => pingPong(shot, 'udp'));
  const each = 1e9 / samplesPerSecond / (2 * done.messages);
  return symbols.map((symbol) => ({ ...symbol, ns: symbol.samples * each }));
}
