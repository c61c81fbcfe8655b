import test from 'ava';
import { TapReader } from '../../runner/tap.js';

const output = `TAP version 13
ok 1 - net > parses
  ---
  message: logs of a test that passed
  ...
not ok 2 - net > fails
  ---
    name: AssertionError
    details: >-
      ok 7 - not a result, but text of the failure
  ...
# net > a comment
not ok 3 - net > crashed
ok 4 - net > later # SKIP
not ok 5 - net > some day # TODO
said aloud by a test
ok 6 - net > has # in its title

1..6
# tests 6
# pass 2
# fail 2
`;

function read(pieces: readonly string[]): { reader: TapReader; heard: string[] } {
  const heard: string[] = [];
  const reader = new TapReader({
    passed: (title) => heard.push(`passed ${title}`),
    failed: (title, details) => heard.push(`failed ${title}: ${details.trim().split('\n').length}`),
    logged: (text) => heard.push(`logged ${text}`),
    other: (line) => heard.push(`other ${line}`),
  });
  for (const piece of pieces) reader.write(piece);
  reader.end();
  return { reader, heard };
}

test('tap > counts results and nothing that only looks like one', (t) => {
  const { reader, heard } = read([output]);
  t.deepEqual(reader.counts, { passed: 2, failed: 2, skipped: 2 });
  t.deepEqual(heard, [
    'passed net > parses',
    'failed net > fails: 3',
    'failed net > crashed: 1',
    'other said aloud by a test',
    'passed net > has # in its title',
  ]);
});

test('tap > reads the same however the output is cut', (t) => {
  const { heard } = read([output]);
  for (const size of [1, 2, 7, 64]) {
    const pieces = output.match(new RegExp(`[^]{1,${size}}`, 'g')) ?? [];
    t.deepEqual(read(pieces).heard, heard, `in pieces of ${size}`);
  }
});

test('tap > a last line without an end counts', (t) => {
  t.deepEqual(read(['not ok 1 - cut off']).reader.counts, { passed: 0, failed: 1, skipped: 0 });
});

test('tap > what a test logged is told, and is no result', (t) => {
  const { reader, heard } = read(['ok 1 - a\n#   took 5 ms\n#   ok 2 - no\n# pass 1\n']);
  t.deepEqual(heard, ['passed a', 'logged took 5 ms', 'logged ok 2 - no']);
  t.is(reader.counts.passed, 1);
});
