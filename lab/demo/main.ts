/** `npm run demo`: three hosts, what a user does with weft on them, and whether it worked. */
import { parseArgs } from 'node:util';
import { messageOf } from '../../src/util/index.js';
import { describeLab, forever } from '../describe.js';
import { isJailed, runInJail } from '../jail.js';
import { Lab } from '../lab.js';
import { oneOf } from '../options.js';
import { engineReleases, ensureEngine, ensureLabPackages } from '../packages.js';
import { Stage } from './stage.js';
import { Story } from './story.js';

const usage = `usage: npm run demo -- [options]

  --engine RELEASE   ${engineReleases.join(', ')} (28.5)
  --keep             leave the hosts up until Ctrl-C
  --json             end with one line of JSON that tells what was checked
`;

const { values } = parseArgs({
  options: {
    engine: { type: 'string', default: '28.5' },
    keep: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

const stage = new Stage();
try {
  process.exitCode = await main();
} catch (error) {
  console.error(`demo: ${messageOf(error)}`);
  report();
  process.exitCode = 1;
}

async function main(): Promise<number> {
  if (values.help) {
    process.stdout.write(usage);
    return 0;
  }
  const engine = oneOf('engine', values.engine, engineReleases);
  if (!isJailed()) {
    await ensureLabPackages(engine);
    return runInJail([process.execPath, ...process.argv.slice(1)]);
  }
  const started = performance.now();
  const lab = await Lab.create({ hosts: 3, engine, store: 'consul' });
  const { version } = await ensureEngine(engine);
  stage.say(`Three hosts with Docker ${version} and weft, Consul, up in ${since(started)} s`);
  const story = new Story(stage, lab);
  await story.play();
  if (!values.keep) await story.remove();
  if (!stage.ok) await showLogs(lab);
  const failed = stage.checks.filter((check) => !check.ok).length;
  const verdict = failed === 0 ? 'all of it worked' : `${failed} did not hold`;
  stage.say(`\n${stage.checks.length} checks, ${verdict}, in ${since(started)} s`);
  if (values.keep) stage.say(`\n${await describeLab(lab)}`);
  report();
  if (values.keep) await forever();
  return failed === 0 ? 0 : 1;
}

function since(started: number): string {
  return ((performance.now() - started) / 1000).toFixed(1);
}

function report(): void {
  if (values.json) console.log(JSON.stringify({ ok: stage.ok, checks: stage.checks }));
}

async function showLogs(lab: Lab): Promise<void> {
  for (const { daemon } of lab.hosts) {
    stage.say(`\nlast words of ${daemon.name}:\n${await daemon.lastWords()}`);
  }
}
