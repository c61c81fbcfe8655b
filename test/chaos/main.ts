/** `npm run chaos`: random user actions and random faults on a lab, then a judgement of what came of it. */
import { parseArgs } from 'node:util';
import {
  engineReleases,
  ensureLabPackages,
  ensureTestTools,
  isJailed,
  oneOf,
  runInJail,
  wholeNumber,
} from '../../lab/index.js';
import { messageOf } from '../../src/util/index.js';
import { type ChaosReport, runChaos } from './run.js';

const usage = `usage: npm run chaos -- [options]

  --seconds N        how long to act and break things (60)
  --hosts N          hosts, each with a Docker engine and weft (3)
  --seed S           what happens when; the same seed does the same (random)
  --engine RELEASE   ${engineReleases.join(', ')} (28.5)
  --json             the report as JSON on standard output
  --verbose          tell each action and fault as it happens
`;

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    hosts: { type: 'string', default: '3' },
    seed: { type: 'string' },
    engine: { type: 'string', default: '28.5' },
    json: { type: 'boolean', default: false },
    verbose: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

try {
  process.exitCode = await main();
} catch (error) {
  console.error(`chaos: ${messageOf(error)}`);
  process.exitCode = 1;
}

async function main(): Promise<number> {
  if (values.help) {
    process.stdout.write(usage);
    return 0;
  }
  const seconds = wholeNumber('seconds', values.seconds);
  const hosts = wholeNumber('hosts', values.hosts);
  const engine = oneOf('engine', values.engine, engineReleases);
  const seed = wholeNumber('seed', values.seed ?? String(Date.now() % 1_000_000));
  if (!isJailed()) {
    await ensureLabPackages(engine);
    await ensureTestTools();
    return runInJail([process.execPath, ...process.argv.slice(1), '--seed', String(seed)]);
  }
  const tell = (line: string): void => {
    if (values.verbose) console.error(line);
  };
  const report = await runChaos({ seed, seconds, hosts, engine, tell });
  process.stdout.write(values.json ? `${JSON.stringify(report)}\n` : text(report));
  return report.violations.length === 0 ? 0 : 1;
}

function text(report: ChaosReport): string {
  const { seed, seconds, hosts, actions, faults, probes, settledMs, largest, violations } = report;
  const share = ((100 * probes.answered) / Math.max(1, probes.sent)).toFixed(1);
  const lines = [
    `chaos: seed ${seed}, ${seconds} s, ${hosts} hosts`,
    `  ${actions.done + actions.refused} actions (${actions.refused} refused in words), ${faults} faults, ` +
      `${probes.sent} probes (${share} % answered, faults included)`,
    `  settled in ${(settledMs / 1000).toFixed(1)} s; weftd at most ` +
      `${Math.round(largest.residentBytes / 1e6)} MB and ${largest.descriptors} descriptors`,
    violations.length === 0 ? '  every invariant holds' : `  ${violations.length} violations:`,
    ...violations.map((violation) => `    ${violation}`),
  ];
  if (violations.length > 0) {
    lines.push(`  again: npm run chaos -- --seconds ${seconds} --hosts ${hosts} --seed ${seed}`);
  }
  return `${lines.join('\n')}\n`;
}
