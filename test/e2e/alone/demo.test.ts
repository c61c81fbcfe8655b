/** The demo as a stranger types it. */
import test from 'ava';
import { freshMachine, tracesOn } from '../../helpers/fresh-machine.js';
import { Program } from '../../helpers/program.js';

const demoMs = 180_000;

test.serial('demo > shows that everything works, says so in JSON and leaves nothing', async (t) => {
  t.timeout(demoMs + 60_000);
  const machine = await freshMachine(t);
  const before = await tracesOn(machine);
  const demo = Program.start(machine, ['npm', 'run', 'demo', '--', '--json']);
  await demo.ended(before.processes, demoMs);
  const last = demo.said.trimEnd().split('\n').at(-1) ?? '';
  const verdict = JSON.parse(last) as { ok: boolean; checks: { name: string; ok: boolean }[] };
  t.deepEqual(
    verdict.checks.filter((check) => !check.ok),
    [],
    demo.said,
  );
  t.true(verdict.ok);
  t.true(verdict.checks.length >= 15, 'it checks what it shows');
  t.is(demo.child.exitCode, 0);
  t.deepEqual(await tracesOn(machine), before);
});

const endings: readonly { readonly how: string; readonly end: (demo: Program) => void }[] = [
  { how: 'Ctrl-C', end: (demo) => demo.interrupt() },
  { how: 'SIGTERM to npm', end: (demo) => demo.child.kill('SIGTERM') },
];

for (const { how, end } of endings) {
  test.serial(`demo > nothing stays behind after ${how} in the middle`, async (t) => {
    const machine = await freshMachine(t);
    const before = await tracesOn(machine);
    const demo = Program.start(machine, ['npm', 'run', 'demo']);
    await demo.says('pings web3');
    end(demo);
    await demo.ended(before.processes);
    t.not(demo.child.exitCode, 0);
    t.false(demo.said.includes('all of it worked'), 'it was stopped in the middle');
    t.deepEqual(await tracesOn(machine), before);
  });
}
