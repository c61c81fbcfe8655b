/** Starts labs the way a user does, ends them in every way there is, and compares what is there with before. */
import { spawn, type ChildProcess } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { imageName, projectDirectory, runOk, waitFor, type Machine } from '../../../lab/index.js';
import { environment } from '../../../lab/machine.js';
import { freshMachine, tracesOn } from '../../helpers/fresh-machine.js';

const labMain = join(projectDirectory, 'dist/lab/main.js');

interface Running {
  readonly runner: ChildProcess;
  readonly guardian: number;
}

const endings: readonly { readonly how: string; readonly end: (lab: Running) => void }[] = [
  { how: 'Ctrl-C', end: ({ runner }) => runner.kill('SIGINT') },
  { how: 'SIGTERM', end: ({ runner }) => runner.kill('SIGTERM') },
  { how: 'SIGKILL of the runner', end: ({ runner }) => runner.kill('SIGKILL') },
];

for (const { how, end } of endings) {
  test.serial(`lab > nothing stays behind after ${how}`, async (t) => {
    const machine = await freshMachine(t);
    const before = await tracesOn(machine);
    const lab = await start(machine);
    const during = await tracesOn(machine);
    t.true(during.namespaces.length > before.namespaces.length + 6, 'the test sees namespaces');
    t.true(during.processes.length > before.processes.length + 6, 'the test sees processes');
    t.true(during.cgroups.length > 0, 'the test sees cgroups');
    end(lab);
    await ended(lab, before.processes);
    t.deepEqual(await tracesOn(machine), before);
  });
}

test.serial(
  'lab > what a killed guardian could not remove goes when the next lab starts',
  async (t) => {
    const machine = await freshMachine(t);
    const before = await tracesOn(machine);
    const lab = await start(machine);
    process.kill(lab.guardian, 'SIGKILL');
    await ended(lab, before.processes);
    t.true((await tracesOn(machine)).cgroups.length > 0, 'cgroups outlive their processes');
    const failing = await machine.exec([
      process.execPath,
      labMain,
      '--no-weft',
      '--store',
      'embedded',
    ]);
    t.regex(failing.stderr, /the embedded store serves one host/);
    t.is(failing.code, 1);
    t.deepEqual(await tracesOn(machine), before);
  },
);

/** Starts a lab of two hosts and, entering each the way it says, a container there. */
async function start(machine: Machine): Promise<Running> {
  const argv = machine.enter([process.execPath, labMain, '--hosts', '2', '--no-weft']);
  const runner = spawn(argv[0] ?? '', argv.slice(1), {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: environment(),
  });
  let said = '';
  runner.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
  await waitFor('a lab that is up', () => said.includes('Ctrl-C ends the lab'), {
    timeoutMs: 60_000,
  });
  for (const [, pid = ''] of said.matchAll(/ h\d .*nsenter -a -t (\d+)/g)) {
    const docker = ['docker', 'run', '--detach', imageName, 'sleep', '600'];
    await runOk(['nsenter', '-a', '-t', pid, ...docker], { env: environment() });
  }
  const guardian = await guardianOf(runner);
  return { runner, guardian };
}

async function guardianOf(runner: ChildProcess): Promise<number> {
  for (const name of await readdir('/proc')) {
    const stat = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => '');
    const parent = Number(/\) \S (\d+)/.exec(stat)?.[1]);
    const command = await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '');
    if (parent === runner.pid && command.includes('guardian')) return Number(name);
  }
  throw new Error('the lab has no guardian');
}

async function ended(lab: Running, before: readonly string[]): Promise<void> {
  await waitFor(
    'the end of the runner',
    () => lab.runner.exitCode ?? lab.runner.signalCode ?? false,
  );
  await waitFor('the end of every process of the lab', async () => {
    const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
    return pids.length <= before.length;
  });
}
