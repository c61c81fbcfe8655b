/** The parts that run for each call, message or round, one by one: a regression elsewhere has its address here. */
import type { Bench, BenchContext, Result } from '../bench.js';
import { Samples, alternate } from '../samples.js';
import { allocatorCases } from './allocator.js';
import { codecCases } from './codecs.js';
import { type MicroCase, calibrate, goAhead, nanosecondsEach } from './measure.js';
import { plannerCases } from './planner.js';

const runMs = 30;
const smokeMs = 1;

export const micro: Bench = {
  name: 'micro',
  summary: 'codecs, allocator and planner, each by itself',
  defaultRuns: 15,
  needsLab: false,
  run,
};

async function run({ scope, runs, wants }: BenchContext): Promise<Result[]> {
  const isSmoke = scope === 'smoke';
  const forMs = isSmoke ? smokeMs : runMs;
  const cases = [
    ...codecCases(),
    ...(await allocatorCases(isSmoke ? 100 : 10_000)),
    ...plannerCases(isSmoke ? [10] : [10, 1000, 10_000]),
  ].filter(({ name }) => wants(name));
  const samples = new Samples();
  const goBack = goAhead();
  try {
    const prepared: { readonly it: MicroCase; readonly count: number }[] = [];
    for (const it of cases) prepared.push({ it, count: await calibrate(it, forMs) });
    await alternate(runs, prepared, async ({ it, count }) => {
      samples.add('weft', it.name, 'ns/op', await nanosecondsEach(it, count));
    });
  } finally {
    goBack();
  }
  return samples.results().sort((a, b) => order(a) - order(b));

  function order({ metric }: Result): number {
    return cases.findIndex(({ name }) => name === metric);
  }
}
