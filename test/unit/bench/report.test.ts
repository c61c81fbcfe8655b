import test from 'ava';
import type { Result } from '../../../bench/bench.js';
import { header, jsonLine, resultTable } from '../../../bench/report.js';

const result = (subject: string, metric: string, median: number): Result => ({
  subject,
  metric,
  unit: 'us',
  median,
  min: median - 1,
  max: median + 1,
  runs: 5,
});

test('report > the table keeps a metric together and compares with the peer', (t) => {
  const results = [
    result('docker-overlay', 'tcp', 4),
    result('docker-overlay', 'udp', 1234.5),
    result('weft', 'tcp', 3),
    result('weft', 'dns', 7),
  ];
  const lines = resultTable(results, 'docker-overlay').trimEnd().split('\n');
  t.deepEqual(
    lines.map((line) => line.split(/ {2,}/)),
    [
      ['METRIC', 'SUBJECT', 'MEDIAN', 'MIN', 'MAX', 'UNIT', 'RUNS', 'OF DOCKER-OVERLAY'],
      ['tcp', 'docker-overlay', '4', '3', '5', 'us', '5', '1.00'],
      ['tcp', 'weft', '3', '2', '4', 'us', '5', '0.75'],
      ['udp', 'docker-overlay', '1235', '1234', '1236', 'us', '5', '1.00'],
      ['dns', 'weft', '7', '6', '8', 'us', '5'],
    ],
  );
});

test('report > the line for machines holds the bench and its results as they are', (t) => {
  const results = [result('weft', 'tcp', 3)];
  t.deepEqual(JSON.parse(jsonLine('datapath', results)), { bench: 'datapath', results });
});

test('report > the header says which commit, kernel and machine', async (t) => {
  const text = await header('micro', 5);
  t.regex(text, /^micro, 5 runs, \d{4}-\d\d-\d\dT/);
  t.regex(text, /^commit (unknown|[0-9a-f]{10}\+?), Node /m);
  t.regex(text, /^Linux \S+, \d+ x .+ GiB, load \d/m);
});
