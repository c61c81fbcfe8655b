/** A short run of `npm run chaos`; longer ones are for the command. */
import test from 'ava';
import { runChaos } from '../../chaos/run.js';

test('chaos > after random actions and faults every invariant holds', async (t) => {
  const lines: string[] = [];
  const tell = (line: string): void => void lines.push(line);
  const report = await runChaos({ seed: 3, seconds: 30, hosts: 3, engine: '28.5', tell });
  const { actions, faults, probes, settledMs } = report;
  t.log(`${actions.done} actions done, ${actions.refused} refused, ${faults} faults`);
  t.log(`${probes.sent} probes, settled in ${Math.round(settledMs / 1000)} s`);
  t.true(actions.done > 20 && faults > 3 && probes.answered > 1000, 'it did something');
  t.deepEqual(report.violations, [], lines.join('\n'));
});
