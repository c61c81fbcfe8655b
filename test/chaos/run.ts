/** One chaos run: a lab, a plan, its execution, settling, the judgement. */
import { cp, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type EngineRelease, Lab, projectDirectory } from '../../lab/index.js';
import { messageOf } from '../../src/util/index.js';
import { prepare, startDaemon } from './damage.js';
import { collect } from './facts.js';
import { judge, judgeWords } from './judge.js';
import { askNames, judgeNames } from './names.js';
import { makePlan, networksEver } from './plan.js';
import { Probes } from './probes.js';
import { describe, Stage } from './stage.js';

export interface ChaosOptions {
  readonly seed: number;
  readonly seconds: number;
  readonly hosts: number;
  readonly engine: EngineRelease;
  /** Hears each step as it happens. */
  readonly tell: (line: string) => void;
}

export interface ChaosReport {
  readonly seed: number;
  readonly seconds: number;
  readonly hosts: number;
  readonly actions: { readonly done: number; readonly refused: number };
  readonly faults: number;
  readonly probes: { readonly sent: number; readonly answered: number };
  readonly settledMs: number;
  /** Of weftd, at the end. */
  readonly largest: { readonly residentBytes: number; readonly descriptors: number };
  /** What should not be; empty when the run passed. */
  readonly violations: readonly string[];
}

/** Leaked addresses are judged a minute after Docker last had them, and looked for every fifteen seconds. */
const SETTLE_MS = 150_000;
const consulServers = 3;

export async function runChaos(options: ChaosOptions): Promise<ChaosReport> {
  const { seed, seconds, hosts, engine, tell } = options;
  const plan = makePlan({ seed, seconds, hosts, servers: consulServers });
  const ever = networksEver(plan);
  await using lab = await Lab.create({
    hosts,
    engine,
    store: 'consul',
    consulServers,
    startWeft: false,
    // Every other seed: containers that outlive their engine, and containers that don't.
    daemonJson: { 'live-restore': seed % 2 === 0 },
    weftJson: { ipam: { restSec: 5 } },
  });
  await Promise.all(lab.hosts.map(prepare));
  await Promise.all(lab.hosts.map(startDaemon));
  await using probes = new Probes(lab, ever);
  await probes.start();
  const stage = new Stage(lab, tell);
  await stage.play(plan, new AbortController().signal);
  tell('mending');
  await stage.mend();
  const began = performance.now();
  const settled = await settle({ lab, probes, names: [...ever.keys()], tell }, began + SETTLE_MS);
  const settledMs = Math.round(performance.now() - began);
  const failures = stage.outcomes.filter(({ ok }) => !ok);
  const words = failures.flatMap(({ step, host, said, timedOut, killed }) => {
    if (killed) return [];
    const wrong = timedOut ? 'it took too long' : judgeWords(said);
    return wrong === undefined ? [] : [`${host}: ${describe(step)}: ${wrong}: ${said}`];
  });
  const violations = [...probes.violations, ...stage.troubles, ...words, ...settled.violations];
  if (violations.length > 0) await keepLogs(lab, options);
  return {
    seed,
    seconds,
    hosts,
    actions: { done: stage.outcomes.length - failures.length, refused: failures.length },
    faults: stage.faults,
    probes: probes.totals,
    settledMs,
    largest: settled.largest,
    violations,
  };
}

async function keepLogs(lab: Lab, { seed, tell }: ChaosOptions): Promise<void> {
  const kept = join(projectDirectory, 'dist/chaos-logs', String(seed));
  await rm(kept, { recursive: true, force: true });
  await mkdir(kept, { recursive: true });
  for (const machine of lab.machines) {
    const logs = join(machine.state.directory, 'log');
    await cp(logs, join(kept, machine.name), { recursive: true }).catch(() => {});
  }
  tell(`the logs of every machine are in ${kept}`);
}

interface Settling {
  readonly lab: Lab;
  readonly probes: Probes;
  /** Of every container that there was. */
  readonly names: readonly string[];
  readonly tell: (line: string) => void;
}

/** Judges again and again until nothing is wrong or time is up; what is wrong then counts. */
async function settle(
  { lab, probes, names, tell }: Settling,
  deadline: number,
): Promise<{ violations: readonly string[]; largest: ChaosReport['largest'] }> {
  let violations: readonly string[] = [];
  let largest = { residentBytes: 0, descriptors: 0 };
  for (;;) {
    probes.nextRound();
    // A prober hears of the round within a second, and asks four times a second.
    await delay(3000);
    try {
      const facts = await collect(lab, probes);
      const daemons = facts.hosts.map(({ daemon }) => daemon);
      largest = {
        residentBytes: Math.max(...daemons.map((daemon) => daemon.residentBytes)),
        descriptors: Math.max(...daemons.map((daemon) => daemon.descriptors)),
      };
      violations = judge(facts);
      // Asking takes a process per container: only what agrees is worth it.
      if (violations.length === 0) {
        violations = judgeNames(facts.hosts, await askNames(lab, facts.hosts, names));
      }
    } catch (error) {
      violations = [`facts can't be read: ${messageOf(error)}`];
    }
    tell(`settling: ${violations.length} things are wrong ${violations[0] ?? ''}`);
    if (violations.length === 0 || performance.now() > deadline) return { violations, largest };
  }
}
