import type { ExecutionContext } from 'ava';
import fc from 'fast-check';
import { type NetworkPolicies, decide } from '../../src/policy/index.js';
import { type Packet, PolicyLab } from '../helpers/policy-lab.js';
import { HERE, network, packets } from './world.js';

export interface FuzzReport {
  readonly rounds: number;
  readonly verdicts: number;
  readonly allowed: number;
  /** What the kernel did otherwise than `decide` says, each with its round; at most those of one round. */
  readonly wrong: readonly string[];
}

export interface FuzzOptions {
  readonly seed: number;
  /** Whether to try another round. */
  readonly goesOn: (rounds: number) => boolean;
}

/**
 * Changes one table from each network of a seed to the next, sends every packet each time and compares with `decide`. Ends
 * with the first round that has a wrong verdict.
 */
export async function fuzzPolicies(
  t: Pick<ExecutionContext, 'teardown'>,
  { seed, goesOn }: FuzzOptions,
): Promise<FuzzReport> {
  const report = { rounds: 0, verdicts: 0, allowed: 0, wrong: [] as string[] };
  const [first] = networkOf(seed, 0);
  const lab = await PolicyLab.open(t, first!.endpoints);
  while (report.wrong.length === 0 && goesOn(report.rounds)) {
    const [some] = networkOf(seed, report.rounds);
    await lab.apply(some!, HERE);
    const arrived = lab.probe(packets);
    for (const [i, packet] of packets.entries()) {
      const expected = passesHere(some!, packet);
      report.allowed += Number(expected);
      if (arrived[i] === expected) continue;
      const { source, destination, ...rest } = packet;
      const what = `${source} to ${destination} ${JSON.stringify(rest)}`;
      report.wrong.push(
        `round ${report.rounds}: ${what} ${expected ? 'was dropped' : 'passed'}: ` +
          JSON.stringify(decide(some!, packet)),
      );
    }
    report.verdicts += packets.length;
    report.rounds += 1;
  }
  return report;
}

/** A network for itself for each round, so that a round can be had without those before. */
const networkOf = (seed: number, round: number): NetworkPolicies[] =>
  fc.sample(network, { seed: seed * 100_003 + round, numRuns: 1 });

/** A host lets pass what its own sides allow. */
export function passesHere(some: NetworkPolicies, packet: Packet): boolean {
  const { egress, ingress } = decide(some, packet);
  const isHere = (address: Packet['source']) =>
    some.endpoints.some(({ host, addresses }) => host === HERE && addresses.includes(address));
  const isKnown = (address: Packet['source']) =>
    some.endpoints.some(({ facts, addresses }) => facts && addresses.includes(address));
  const isOpen = some.policies.length === 0 && some.default === 'open';
  // Whom nobody knows yet is denied everywhere, not only where it runs.
  if (!isOpen && !(isKnown(packet.source) && isKnown(packet.destination))) return false;
  return (
    (!isHere(packet.source) || egress.verdict === 'allow') &&
    (!isHere(packet.destination) || ingress.verdict === 'allow')
  );
}
