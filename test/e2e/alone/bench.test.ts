/** Benchmarks run, and say what they measured in the agreed form. How fast anything is, no test asks. */
import { join } from 'node:path';
import test from 'ava';
import type { Result } from '../../../bench/bench.js';
import { benches } from '../../../bench/catalogue.js';
import { projectDirectory, run, type RunResult } from '../../../lab/index.js';

const smokeMs = 240_000;

async function bench(...args: readonly string[]): Promise<RunResult> {
  const main = join(projectDirectory, 'dist/bench/main.js');
  return run([process.execPath, main, ...args], { cwd: projectDirectory, timeoutMs: smokeMs });
}

for (const { name } of benches) {
  test.serial(`bench > ${name} runs and ends with its results`, async (t) => {
    t.timeout(smokeMs + 30_000);
    const { code, stdout, stderr } = await bench(name, '--smoke', '--json');
    t.is(code, 0, stderr);
    const last = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as {
      bench: string;
      results: Result[];
    };
    t.is(last.bench, name);
    t.true(last.results.some(({ subject }) => subject === 'weft'));
    for (const result of last.results) {
      const about = JSON.stringify(result);
      const keys = ['subject', 'metric', 'unit', 'median', 'min', 'max', 'runs'];
      t.deepEqual(Object.keys(result), keys, about);
      t.true(result.min <= result.median && result.median <= result.max, about);
      t.true(result.runs >= 1, about);
    }
  });
}

test.serial('bench > without a name lists all of them', async (t) => {
  const { code, stdout } = await bench();
  t.is(code, 0);
  for (const { name, summary } of benches)
    t.regex(stdout, new RegExp(`^  ${name} +${summary}$`, 'm'));
});

test.serial('bench > refuses a name that it does not know and tells those it does', async (t) => {
  const { code, stderr } = await bench('nonsense');
  t.is(code, 1);
  for (const { name } of benches) t.true(stderr.includes(name), stderr);
});
