/** `npm test`: every layer, or those asked for; ends with one line that counts. */
import { parseArgs } from 'node:util';
import { engineReleases, oneOf, storeKinds } from '../lab/index.js';
import { messageOf } from '../src/util/index.js';
import { defaultLayers, layerNames, steps, type Selection, type Step } from './runner/layers.js';
import { TapReader } from './runner/tap.js';

const usage = `usage: npm test -- [options] [FILE...]

  --layer NAME       ${layerNames.join(', ')}; may be given more than once (all but long)
  --engine RELEASE   ${engineReleases.join(', ')}: only this engine in the layer e2e (all)
  --store KIND       consul or embedded: only this store in the layer e2e (both)
  --match PATTERN    only tests whose title matches, * stands for anything; may be given more than once
  FILE               only these compiled test files, say 'dist/test/unit/net/**'
`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    layer: { type: 'string', multiple: true, default: [...defaultLayers] },
    engine: { type: 'string' },
    store: { type: 'string' },
    match: { type: 'string', multiple: true, default: [] },
    help: { type: 'boolean', default: false },
  },
});

interface StepResult {
  readonly step: Step;
  readonly passed: number;
  readonly failed: number;
  /** Of the failed ones that were tests; the others are runs that ended badly. */
  readonly failedTitles: readonly string[];
  /** By a person or a machine that wants all of it to end. */
  readonly interrupted: boolean;
}

const interruptedCodes = [129, 130, 143];
/** So many steps that mostly wait run at once. */
const lanes = 2;
/** With more failures than this the fault is no lack of time. */
const maxSecondTries = 3;

if (values.help) process.stdout.write(usage);
else process.exitCode = await main();

async function main(): Promise<number> {
  let wanted: Step[];
  try {
    wanted = steps(selection());
  } catch (error) {
    console.error(messageOf(error));
    return 2;
  }
  const alone = wanted.filter((step) => !step.beside);
  const beside = wanted.filter((step) => step.beside);
  const results: StepResult[] = [];
  const goOn = (): boolean => results.every((result) => !result.interrupted);
  for (const step of alone) if (goOn()) results.push(await runStep(step, ''));
  // What fails to install is told by the step that needs it.
  for (const step of beside) if (goOn()) await step.prepare?.().catch(() => undefined);
  const isCrowded = beside.length > 1;
  const lane = async (): Promise<void> => {
    for (let step = beside.shift(); step && goOn(); step = beside.shift()) {
      results.push(await runStep(step, isCrowded ? `${step.name}: ` : ''));
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  if (!goOn()) return 1;
  const failures = sum(results.map((result) => result.failed));
  const settled = failures > maxSecondTries ? results : await tryAgain(results);
  const passed = sum(settled.map((result) => result.passed));
  const failed = sum(settled.map((result) => result.failed));
  console.log(`\n${passed} passed, ${failed} failed`);
  return failed > 0 || passed === 0 ? 1 : 0;
}

/**
 * What failed beside another lab is tried once more by itself, and named UNSTABLE when it passes then: two labs on two cores
 * make any wait too short now and then, and one such test must not hide what the thousands of others say.
 */
async function tryAgain(results: readonly StepResult[]): Promise<readonly StepResult[]> {
  const settled: StepResult[] = [];
  for (const first of results) {
    const titles = first.failedTitles;
    if (!first.step.beside || titles.length === 0) {
      settled.push(first);
      continue;
    }
    const second = await runStep(first.step, 'again: ', titles);
    const mended = second.failed === 0 ? Math.min(second.passed, titles.length) : 0;
    if (mended > 0) console.log(`  UNSTABLE  ${first.step.name}: ${titles.join('; ')}`);
    settled.push({ ...first, passed: first.passed + mended, failed: first.failed - mended });
  }
  return settled;
}

/** `who` stands before each line, where others' lines come between; `titles`: only these tests. */
async function runStep(step: Step, who: string, titles?: readonly string[]): Promise<StepResult> {
  console.log(`\n${step.name}`);
  const started = performance.now();
  const failedTitles: string[] = [];
  const tap = new TapReader({
    passed: (title) => step.slow && console.log(`  ok      ${who}${title}`),
    failed: (title, details) => {
      failedTitles.push(withoutFile(title));
      console.log(`  FAILED  ${who}${title}\n${details}`);
    },
    logged: (text) => step.slow && console.log(`          ${text}`),
    other: (line) => console.log(`          ${who}${line}`),
  });
  let code = 1;
  try {
    await step.prepare?.();
    code = await step.run((text) => tap.write(text), titles);
  } catch (error) {
    console.log(`  ${who}${messageOf(error)}`);
  }
  tap.end();
  const { passed, failed, skipped } = tap.counts;
  const isPartial = values.match.length > 0 || positionals.length > 0;
  const ranNone = passed + failed + skipped === 0 && code === 1 && isPartial;
  const crashed = code !== 0 && failed === 0 && !ranNone;
  if (crashed) console.log(`  FAILED  ${who}it ended with ${code}`);
  const aside = skipped === 0 ? '' : `, ${skipped} skipped`;
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(`  ${who}${passed} ok, ${failed + Number(crashed)} not${aside}, in ${seconds} s`);
  return {
    step,
    passed,
    failed: failed + Number(crashed),
    failedTitles,
    interrupted: interruptedCodes.includes(code),
  };
}

/** AVA writes a test's file before its title when it runs several. */
function withoutFile(title: string): string {
  return title.split(' › ').at(-1) ?? title;
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0);
}

function selection(): Selection {
  const { layer, engine, store, match } = values;
  return {
    layers: layer.map((name) => oneOf('layer', name, layerNames)),
    engine: engine === undefined ? undefined : oneOf('engine', engine, engineReleases),
    store: store === undefined ? undefined : oneOf('store', store, storeKinds),
    match,
    files: positionals,
  };
}
