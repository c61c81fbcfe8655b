/** Starts labs the way a user does, ends them in every way there is, and compares what is there with before. */
import { join } from 'node:path';
import test from 'ava';
import { imageName, projectDirectory, runOk, type Machine } from '../../../lab/index.js';
import { environment } from '../../../lab/machine.js';
import { freshMachine, tracesOn } from '../../helpers/fresh-machine.js';
import { Program } from '../../helpers/program.js';

const labArgv = [process.execPath, join(projectDirectory, 'dist/lab/main.js'), '--no-weft'];

const endings: readonly { readonly how: string; readonly end: (lab: Program) => void }[] = [
  { how: 'Ctrl-C', end: (lab) => lab.interrupt() },
  { how: 'SIGTERM', end: (lab) => lab.child.kill('SIGTERM') },
  { how: 'SIGKILL of the runner', end: (lab) => lab.child.kill('SIGKILL') },
];

for (const { how, end } of endings) {
  test.serial(`lab > nothing stays behind after ${how}`, async (t) => {
    const machine = await freshMachine(t);
    const before = await tracesOn(machine);
    const lab = await startLab(machine);
    const during = await tracesOn(machine);
    t.true(during.namespaces.length > before.namespaces.length + 6, 'the test sees namespaces');
    t.true(during.processes.length > before.processes.length + 6, 'the test sees processes');
    t.true(during.cgroups.length > 0, 'the test sees cgroups');
    end(lab);
    await lab.ended(before.processes);
    t.deepEqual(await tracesOn(machine), before);
  });
}

test.serial('lab > what a killed guardian could not remove goes with the next lab', async (t) => {
  const machine = await freshMachine(t);
  const before = await tracesOn(machine);
  const lab = await startLab(machine);
  process.kill(await lab.guardian(), 'SIGKILL');
  await lab.ended(before.processes);
  t.true((await tracesOn(machine)).cgroups.length > 0, 'cgroups outlive their processes');
  const failing = await machine.exec([...labArgv, '--store', 'embedded']);
  t.regex(failing.stderr, /the embedded store serves one host/);
  t.is(failing.code, 1);
  t.deepEqual(await tracesOn(machine), before);
});

/** Starts a lab of two hosts and, entering each the way it says, a container there. */
async function startLab(machine: Machine): Promise<Program> {
  const lab = Program.start(machine, [...labArgv, '--hosts', '2']);
  await lab.says('Ctrl-C ends the lab');
  for (const [, pid = ''] of lab.said.matchAll(/ h\d .*nsenter -a -t (\d+)/g)) {
    const docker = ['docker', 'run', '--detach', imageName, 'sleep', '600'];
    await runOk(['nsenter', '-a', '-t', pid, ...docker], { env: environment() });
  }
  return lab;
}
