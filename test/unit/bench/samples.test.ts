import test from 'ava';
import { Samples, alternate, percentile } from '../../../bench/samples.js';

test('samples > give median, minimum and maximum by metric and subject', (t) => {
  const samples = new Samples();
  for (const value of [30, 10, 20]) samples.add('weft', 'round-trip', 'us', value);
  samples.add('bare', 'round-trip', 'us', 5);
  t.deepEqual(samples.results(), [
    { subject: 'weft', metric: 'round-trip', unit: 'us', median: 20, min: 10, max: 30, runs: 3 },
    { subject: 'bare', metric: 'round-trip', unit: 'us', median: 5, min: 5, max: 5, runs: 1 },
  ]);
});

test('samples > refuse what is no number', (t) => {
  t.throws(() => new Samples().add('weft', 'round-trip', 'us', NaN), { message: /round-trip/ });
});

const percentiles: readonly (readonly [number, readonly number[], number])[] = [
  [50, [7], 7],
  [50, [4, 1, 3, 2], 2.5],
  [50, [3, 1, 2], 2],
  [0, [3, 1, 2], 1],
  [100, [3, 1, 2], 3],
  [99, Array.from({ length: 101 }, (_, i) => i), 99],
];
for (const [percent, values, expected] of percentiles) {
  test(`percentile > ${percent} of ${values.length} values is ${expected}`, (t) => {
    t.is(percentile(values, percent), expected);
  });
}

test('alternate > measures all subjects in every run, each run from another one on', async (t) => {
  const seen: string[] = [];
  await alternate(3, ['a', 'b', 'c'], async (subject, run) => {
    seen.push(`${run}${subject}`);
  });
  t.is(seen.join(' '), '0a 0b 0c 1b 1c 1a 2c 2a 2b');
});
