/** `npm run bench`: measures weft beside what a user would pick instead. */
import { parseArgs } from 'node:util';
import {
  engineReleases,
  ensureBenchTools,
  ensureLabPackages,
  isJailed,
  LabError,
  oneOf,
  runInJail,
  wholeNumber,
} from '../lab/index.js';
import { messageOf } from '../src/util/index.js';
import type { Bench, BenchContext } from './bench.js';
import { benches } from './catalogue.js';
import { header, jsonLine, resultTable } from './report.js';

const usage = `usage: npm run bench -- NAME [options]

  --runs N           how often each subject is measured
  --full             every combination, not only the ones that the project makes promises about
  --only TEXT        only metrics whose name contains this, where a bench has many; may be given more than once
  --smoke            as little as shows that it works; the figures mean nothing
  --engine RELEASE   ${engineReleases.join(', ')} (28.5)
  --json             end with one line of JSON that holds the results

${listing()}`;

try {
  process.exitCode = await main();
} catch (error) {
  console.error(`bench: ${messageOf(error)}`);
  process.exitCode = 1;
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      runs: { type: 'string' },
      full: { type: 'boolean', default: false },
      only: { type: 'string', multiple: true, default: [] },
      smoke: { type: 'boolean', default: false },
      engine: { type: 'string', default: '28.5' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help || positionals.length === 0) {
    process.stdout.write(usage);
    return 0;
  }
  const bench = find(positionals);
  const engine = oneOf('engine', values.engine, engineReleases);
  const runs = values.runs === undefined ? bench.defaultRuns : wholeNumber('runs', values.runs);
  if (runs < 1) throw refusal('--runs 0', '--runs is at least 1');
  if (bench.needsLab && !isJailed()) {
    await ensureLabPackages(engine);
    await ensureBenchTools();
    return runInJail([process.execPath, ...process.argv.slice(1)]);
  }
  const context: BenchContext = {
    scope: values.smoke ? 'smoke' : values.full ? 'full' : 'headline',
    runs: values.smoke && values.runs === undefined ? 1 : runs,
    engine,
    wants: (metric) =>
      values.only.length === 0 || values.only.some((text) => metric.includes(text)),
    progress: (text) => console.error(`  ${text}`),
  };
  console.log(await header(bench.name, context.runs));
  const results = await bench.run(context);
  console.log(`\n${resultTable(results, bench.peer)}`);
  if (values.json) console.log(jsonLine(bench.name, results));
  return 0;
}

function find(names: readonly string[]): Bench {
  const [name = '', ...more] = names;
  if (more.length > 0) throw refusal(names.join(' '), 'one bench at a time');
  const found = benches.find((bench) => bench.name === name);
  if (found !== undefined) return found;
  const known = benches.map((bench) => bench.name).join(', ');
  throw refusal(name, `there is no bench "${name}"; there are ${known}`);
}

function listing(): string {
  return benches.map(({ name, summary }) => `  ${name.padEnd(10)} ${summary}\n`).join('');
}

function refusal(asked: string, message: string): LabError {
  return new LabError({ code: 'BAD_REQUEST', asked }, message);
}
