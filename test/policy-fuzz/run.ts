import type { ExecutionContext } from 'ava';
import { decide } from '../../src/policy/index.js';
import { PolicyLab } from '../helpers/policy-lab.js';
import { Connections } from './connections.js';
import { passesHere } from './passes.js';
import { HERE, networksOf, packets } from './world.js';

export interface FuzzReport {
  readonly rounds: number;
  readonly verdicts: number;
  readonly allowed: number;
  /** Packets of connections begun under earlier policies: those that were to pass, and those that were not. */
  readonly wentOn: number;
  readonly cut: number;
  /** What the kernel did otherwise than `decide` says, each with its round; at most those of one round. */
  readonly wrong: readonly string[];
}

export interface FuzzOptions {
  readonly seed: number;
  /** Whether to try another round. */
  readonly goesOn: (rounds: number) => boolean;
}

/**
 * Changes one table from each network of a seed to the next, sends every packet each time, and more of connections
 * begun before, and compares with `decide`. Ends with the first round that has a wrong verdict.
 */
export async function fuzzPolicies(
  t: Pick<ExecutionContext, 'teardown'>,
  { seed, goesOn }: FuzzOptions,
): Promise<FuzzReport> {
  const report = { rounds: 0, verdicts: 0, allowed: 0, wrong: [] as string[] };
  const networkIn = networksOf(seed);
  const lab = await PolicyLab.open(t, networkIn(0).endpoints);
  const connections = new Connections((some) => lab.probe(some));
  while (report.wrong.length === 0 && goesOn(report.rounds)) {
    const some = networkIn(report.rounds);
    await lab.apply(some, HERE);
    connections.goOn(some, report.rounds);
    const arrived = lab.probe(packets);
    for (const [i, packet] of packets.entries()) {
      const expected = passesHere(some, packet);
      report.allowed += Number(expected);
      if (arrived[i] === expected) continue;
      const { source, destination, ...rest } = packet;
      const what = `${source} to ${destination} ${JSON.stringify(rest)}`;
      report.wrong.push(
        `round ${report.rounds}: ${what} ${expected ? 'was dropped' : 'passed'}: ` +
          JSON.stringify(decide(some, packet)),
      );
    }
    connections.begin(some, report.rounds);
    report.wrong.push(...connections.report.wrong);
    report.verdicts += packets.length;
    report.rounds += 1;
  }
  const { wentOn, cut } = connections.report;
  return { ...report, wentOn, cut };
}
