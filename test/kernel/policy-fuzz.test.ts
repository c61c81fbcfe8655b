import test from 'ava';
import { fuzzPolicies } from '../policy-fuzz/run.js';

test('policy > the kernel does what decide says, from one generated network to the next', async (t) => {
  const { wrong, verdicts, allowed, wentOn, cut } = await fuzzPolicies(t, {
    seed: 1,
    goesOn: (n) => n < 8,
  });
  t.deepEqual(wrong, []);
  t.true(allowed > verdicts / 10 && allowed < (verdicts * 9) / 10, `${allowed} of ${verdicts}`);
  t.true(wentOn > 50 && cut > 50, `${wentOn} went on, ${cut} were cut`);
});
