/** `npm run policy-fuzz`: generated policies in the kernel, against the function that decides. Needs root. */
import { parseArgs } from 'node:util';
import { ensureTestTools, wholeNumber } from '../../lab/index.js';
import { messageOf } from '../../src/util/index.js';
import { fuzzPolicies } from './run.js';

const usage = `usage: npm run policy-fuzz -- [options]

  --seconds N   how long (60)
  --seed S      which policies and containers; the same seed tries the same (random)
`;

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});

try {
  process.exitCode = await main();
} catch (error) {
  console.error(`policy-fuzz: ${messageOf(error)}`);
  process.exitCode = 1;
}

async function main(): Promise<number> {
  if (values.help) {
    process.stdout.write(usage);
    return 0;
  }
  const seconds = wholeNumber('seconds', values.seconds);
  const seed = wholeNumber('seed', values.seed ?? String(Date.now() % 1_000_000));
  await ensureTestTools();
  const closers: (() => unknown)[] = [];
  const until = Date.now() + seconds * 1000;
  try {
    const { rounds, verdicts, allowed, wentOn, cut, wrong } = await fuzzPolicies(
      { teardown: (close) => void closers.push(close) },
      { seed, goesOn: () => Date.now() < until },
    );
    const share = ((100 * allowed) / Math.max(1, verdicts)).toFixed(0);
    console.log(
      `policy-fuzz: seed ${seed}, ${rounds} networks, ${verdicts} verdicts, ${share} % allowed`,
    );
    console.log(`  connections across a change: ${wentOn} were to go on, ${cut} to be cut`);
    console.log(wrong.length === 0 ? '  none is wrong' : `  ${wrong.length} are wrong:`);
    for (const line of wrong.slice(0, 20)) console.log(`    ${line}`);
    if (wrong.length > 0)
      console.log(`  again: npm run policy-fuzz -- --seconds ${seconds} --seed ${seed}`);
    return wrong.length === 0 ? 0 : 1;
  } finally {
    for (const close of closers.toReversed()) await close();
  }
}
