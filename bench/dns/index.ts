/** What a name costs: weft, Docker's own resolver, unbound and dnsmasq on one core, asked from another. */
import { mkdir, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { Lab, jailDirectory, runOk } from '../../lab/index.js';
import { createNetns, deleteNetns } from '../../src/netlink/index.js';
import { Closer } from '../../src/util/index.js';
import type { Bench, BenchContext, Result } from '../bench.js';
import { cpuOf } from '../daemon/process.js';
import { Samples, alternate, percentile } from '../samples.js';
import { type Answered, flood, pace } from './dnsperf.js';
import { startDocker } from './docker.js';
import { type Kind, kinds, questions } from './names.js';
import { type Running, startDnsmasq, startUnbound, startWeft } from './subjects.js';

interface Plan {
  readonly sizes: readonly number[];
  /** Containers that ask at once. */
  readonly crowd: number;
  /** Of Docker: to start 200 takes minutes. */
  readonly dockerCrowd: number;
  /** In all, when answers are timed. */
  readonly perSecond: number;
}

const plans: Readonly<Record<BenchContext['scope'], Plan>> = {
  smoke: { sizes: [10], crowd: 3, dockerCrowd: 1, perSecond: 300 },
  headline: { sizes: [10, 100_000], crowd: 200, dockerCrowd: 1, perSecond: 4000 },
  full: { sizes: [10, 100_000], crowd: 200, dockerCrowd: 200, perSecond: 4000 },
};

const SECONDS = 1;
const directory = join(jailDirectory, 'bench-dns');

export const dns: Bench = {
  name: 'dns',
  summary: 'names: queries a second, latency and CPU beside Docker, unbound and dnsmasq',
  defaultRuns: 3,
  needsLab: true,
  peer: 'docker',
  run,
};

async function run(context: BenchContext): Promise<Result[]> {
  const plan = plans[context.scope];
  const samples = new Samples();
  await mkdir(directory);
  await using lab = await Lab.create({
    hosts: 1,
    engine: context.engine,
    store: 'embedded',
    startWeft: false,
  });
  await using places = await Places.make(plan.crowd);
  for (const names of plan.sizes) {
    context.progress(`${names} names`);
    await using closer = new Closer();
    const core = cpus().length - 1;
    const setting = { names, places: places.paths, core, directory };
    const all = [
      closer.use(await startDocker(lab.host(0), { names, clients: plan.dockerCrowd, core })),
      closer.use(await startUnbound(setting)),
      closer.use(await startDnsmasq(setting)),
      closer.use(await startWeft(setting)),
    ];
    const files = await writeQuestions(names);
    for (const kind of kinds) {
      const able = all.filter((each) => each.kinds.includes(kind));
      const stage = { context, samples, files, names, plan };
      await measureFlood(stage, kind, able);
      if (kind === 'A') await measurePace(stage, able);
    }
  }
  return samples.results();
}

interface Stage {
  readonly context: BenchContext;
  readonly samples: Samples;
  readonly files: Readonly<Record<Kind, string>>;
  readonly names: number;
  readonly plan: Plan;
}

/** One container that asks as fast as it is answered. */
async function measureFlood(stage: Stage, kind: Kind, all: readonly Running[]): Promise<void> {
  const { context, samples, files, names } = stage;
  const at = `${kind} ${names}-names`;
  if (!context.wants(`queries ${at}`)) return;
  context.progress(`as fast as it goes, ${at}`);
  await alternate(context.runs, all, async ({ subject, address, places, pid }) => {
    const load = { netns: places[0]!, core: 0, address, questions: files[kind], kind };
    // For what a server does once: its code compiled, its neighbors known.
    await flood({ ...load, seconds: SECONDS });
    const before = await cpuOf(pid);
    const { perSecond, count }: Answered = await flood({ ...load, seconds: SECONDS });
    const cpuMs = (await cpuOf(pid)) - before;
    samples.add(subject, `queries ${at}`, 'queries/s', perSecond);
    samples.add(subject, `cpu ${at}`, 'us/query', (cpuMs * 1000) / count);
  });
}

/** One container and many, at a pace that all servers keep up with. */
async function measurePace(stage: Stage, all: readonly Running[]): Promise<void> {
  const { context, samples, files, names, plan } = stage;
  for (const crowd of new Set([1, plan.crowd])) {
    const at = `${names}-names ${crowd}-container${crowd === 1 ? '' : 's'}`;
    if (!context.wants(`p99 ${at}`)) continue;
    context.progress(`at a pace, ${at}`);
    const able = all.filter(({ places }) => places.length >= crowd);
    await alternate(context.runs, able, async ({ subject, address, places, pid }) => {
      const before = await cpuOf(pid);
      const perSecond = plan.perSecond / crowd;
      const taken = await Promise.all(
        places.slice(0, crowd).map(async (netns) => {
          const load = { netns, core: 0, address, questions: files.A, kind: 'A' as const };
          return pace({ ...load, seconds: SECONDS }, perSecond);
        }),
      );
      const cpuMs = (await cpuOf(pid)) - before;
      const us = taken.flat();
      for (const p of [50, 99]) samples.add(subject, `p${p} ${at}`, 'us', percentile(us, p));
      samples.add(subject, `cpu at a pace ${at}`, 'us/query', (cpuMs * 1000) / us.length);
    });
  }
}

async function writeQuestions(names: number): Promise<Record<Kind, string>> {
  const files = {} as Record<Kind, string>;
  for (const kind of kinds) {
    files[kind] = join(directory, `questions-${kind}-${names}`);
    await writeFile(files[kind], questions(kind, names));
  }
  return files;
}

/** Namespaces as a container's is, with loopback only, and as many as there are clients, but two at least. */
class Places implements AsyncDisposable {
  readonly paths: string[] = [];

  static async make(count: number): Promise<Places> {
    const places = new Places();
    const folder = join(directory, 'netns');
    await mkdir(folder);
    for (let i = 0; i < Math.max(2, count); i += 1) {
      const path = join(folder, String(i));
      await createNetns(path);
      places.paths.push(path);
      await runOk(['nsenter', `--net=${path}`, 'ip', 'link', 'set', 'lo', 'up']);
    }
    return places;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const path of this.paths) await deleteNetns(path);
    await runOk(['umount', join(directory, 'netns')]);
  }
}
