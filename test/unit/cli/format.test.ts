import test from 'ava';
import fc from 'fast-check';
import { duration } from '../../../src/cli/status.js';
import { table } from '../../../src/cli/table.js';

for (const [sec, text] of [
  [0, '0 s'],
  [0.9, '0 s'],
  [59, '59 s'],
  [60, '1 min'],
  [61, '1 min 1 s'],
  [3600, '1 h'],
  [3601, '1 h'],
  [86_399, '23 h 59 min'],
  [86_400, '1 d'],
  [90_000, '1 d 1 h'],
  [86_460, '1 d'],
] as const) {
  test(`duration > ${sec} s is ${text}`, (t) => {
    t.is(duration(sec), text);
  });
}

test('table > every cell of a column starts, or ends, where its title does', (t) => {
  const cell = fc.stringMatching(/^[a-z]{1,12}$/);
  fc.assert(
    fc.property(fc.array(fc.tuple(cell, cell, cell)), (rows) => {
      const columns = [
        { title: 'LEFT', value: (row: (typeof rows)[number]) => row[0] },
        { title: 'RIGHT', value: (row: (typeof rows)[number]) => row[1], alignRight: true },
        { title: 'LAST', value: (row: (typeof rows)[number]) => row[2] },
      ];
      const [head, ...lines] = table(columns, rows).trimEnd().split('\n');
      const rightEnd = head!.indexOf('RIGHT') + 'RIGHT'.length;
      for (const [i, line] of lines.entries()) {
        t.true(line.startsWith(`${rows[i]![0]} `), line);
        t.is(line.slice(0, rightEnd).trimEnd().length, rightEnd, line);
        t.is(line.slice(head!.indexOf('LAST')), rows[i]![2], line);
      }
      t.is(lines.length, rows.length);
    }),
  );
});
